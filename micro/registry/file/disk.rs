//! A registry file on the disk: read whole and bounded, written atomically, watched by its stamp. Everything here blocks.

use crate::error::{Error, ErrorKind, Result};
use nix::fcntl::{Flock, FlockArg};
use std::error::Error as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// A registry file is at most so large.
const LIMIT: u64 = 16 << 20;
/// What some editors put in front of UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// How often, and how far apart, the lock of a file is tried.
const LOCK_TRIES: usize = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The text of the file.
///
/// # Errors
/// `Unreachable` if it cannot be read, `TooLarge`, `Malformed` if it is no UTF-8.
pub(super) fn read(path: &Path) -> Result<String> {
    let at = |error: io::Error| unreadable(path, error);
    // Opened without waiting, so that a pipe in its place hangs nobody.
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(at)?;
    let metadata = file.metadata().map_err(at)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::Invalid, format!("registry file {} is no regular file", path.display())));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(LIMIT)).unwrap_or(0));
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > LIMIT {
        let text = format!("registry file {} is larger than {} MiB", path.display(), LIMIT >> 20);
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = format!("registry file {}: byte {at} is no UTF-8; save the file as UTF-8", path.display());
        Error::new(ErrorKind::Malformed, text)
    })?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::NotFound => format!(
            "registry file {} is not there; write the services into it, or point --registry_address to where it is",
            path.display()
        ),
        io::ErrorKind::PermissionDenied => format!("registry file {} may not be read", path.display()),
        _ => format!("registry file {} cannot be read: {error}", path.display()),
    };
    Error::new(ErrorKind::Unreachable, text).because(error)
}

/// What changes whenever a file is written, replaced, or its link is turned: of the file that the path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    Missing,
    File { device: u64, inode: u64, size: u64, modified: (i64, i64), changed: (i64, i64) },
}

/// The file's stamp now.
pub(super) fn stamp(path: &Path) -> Stamp {
    match fs::metadata(path) {
        Ok(file) => Stamp::File {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        },
        Err(_) => Stamp::Missing,
    }
}

/// Rewrites the file with what `edit` makes of its text; `None` leaves it alone. A missing file has an empty text.
///
/// Readers see the old text or the new one. A link stays a link, the file keeps its mode. Two processes that write at
/// once wait for each other.
///
/// # Errors
/// `Unreachable` if the file cannot be read, locked or written; what `edit` says.
pub(super) fn rewrite(path: &Path, edit: impl FnOnce(&str) -> Result<Option<String>>) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder(&target);
    let _lock = lock(path, &folder)?;
    let text = match read(path) {
        Err(error) if is_missing(&error) => String::new(),
        read => read?,
    };
    match edit(&text)? {
        Some(text) => replace(&target, &folder, &text).map_err(|error| {
            let text = format!("registry file {} cannot be written: {error}", path.display());
            Error::new(ErrorKind::Unreachable, text).because(error)
        }),
        None => Ok(()),
    }
}

/// Whether there is no file at all. One that cannot be read now must not be taken for an empty one.
fn is_missing(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
}

fn folder(target: &Path) -> PathBuf {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The lock is on the folder, since the file itself is replaced.
fn lock(path: &Path, folder: &Path) -> Result<Flock<File>> {
    let cannot = |error: io::Error| {
        let text = format!("registry file {}: folder {} cannot be locked: {error}", path.display(), folder.display());
        Error::new(ErrorKind::Unreachable, text).because(error)
    };
    let mut open = File::open(folder).map_err(cannot)?;
    for _ in 0..LOCK_TRIES {
        match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, nix::errno::Errno::EWOULDBLOCK | nix::errno::Errno::EINTR)) => open = back,
            Err((_, errno)) => return Err(cannot(errno.into())),
        }
        sleep(LOCK_PAUSE);
    }
    Err(cannot(io::Error::new(io::ErrorKind::TimedOut, "another process holds it")))
}

fn replace(target: &Path, folder: &Path, text: &str) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let next = folder.join(format!(".{name}.{}.{count}.new", std::process::id()));
    let mode = fs::metadata(target).ok().map(|file| file.permissions());
    let written = fill(&next, text, mode).and_then(|()| fs::rename(&next, target));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&next);
    }
    written
}

fn fill(next: &Path, text: &str, mode: Option<Permissions>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(next)?;
    file.write_all(text.as_bytes())?;
    if let Some(mode) = mode {
        file.set_permissions(mode)?;
    }
    file.sync_all()
}
