//! Registry files: what services are said to be there.

use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// A node of a mucp service.
pub fn node(id: &str, address: &str) -> Value {
    json!({"id": id, "address": address, "metadata": {"protocol": "mucp", "server": "mucp", "transport": "http"}})
}

/// A service with one endpoint `Say.Hello {name string} → {msg string}`.
pub fn service(name: &str, nodes: &[Value]) -> Value {
    let field = |name: &str| json!({"name": name, "type": "string", "values": null});
    json!({
        "name": name, "version": "1.0.0", "metadata": null, "nodes": nodes,
        "endpoints": [{
            "name": "Say.Hello", "metadata": {},
            "request": {"name": "HelloRequest", "type": "HelloRequest", "values": [field("name")]},
            "response": {"name": "HelloResponse", "type": "HelloResponse", "values": [field("msg")]},
        }],
    })
}

/// Writes a registry file.
///
/// # Errors
/// The file cannot be written.
pub fn write(folder: &Path, services: &[Value]) -> io::Result<PathBuf> {
    let path = folder.join("services.json");
    std::fs::write(&path, Value::from(services.to_vec()).to_string())?;
    Ok(path)
}
