//! Why a service did not answer, in people's words: one mapping for all commands.

use bot::command::{CommandError, CommandErrorKind};
use micro::error::{Error, ErrorKind, Status};
use std::time::Duration;

/// The kind as commands say it. A service's own error is `Failed`; an `Unsure` one may have run.
pub fn kind(kind: ErrorKind) -> CommandErrorKind {
    match kind {
        ErrorKind::NotFound => CommandErrorKind::NotFound,
        ErrorKind::Timeout => CommandErrorKind::Timeout,
        ErrorKind::Unreachable | ErrorKind::Tls => CommandErrorKind::Unreachable,
        ErrorKind::Refused | ErrorKind::Auth => CommandErrorKind::Refused,
        ErrorKind::Malformed => CommandErrorKind::Malformed,
        ErrorKind::TooLarge => CommandErrorKind::TooLarge,
        ErrorKind::Cancelled => CommandErrorKind::Cancelled,
        ErrorKind::Unsure => CommandErrorKind::Unsure,
        ErrorKind::Invalid => CommandErrorKind::Usage,
        _ => CommandErrorKind::Failed,
    }
}

/// The error in one line: a service's own as `detail (404 Not Found)`; `may have run` where that is so.
pub fn text(error: &Error) -> String {
    let said = match error.status() {
        Some(status) if error.kind() == ErrorKind::Service => service(status),
        _ => error.context().to_owned(),
    };
    let unsure = error.kind() == ErrorKind::Unsure && !said.contains("may have run");
    if unsure { format!("{said}; it may have run") } else { said }
}

/// A command's error: `error calling go.micro.srv.greeter.Say.Hello: …`, with the time that passed where it was the time
/// that ran out, be it ours or the service's (408).
pub fn calling(service: &str, endpoint: &str, error: Error, took: Duration) -> CommandError {
    let said = text(&error);
    let late = error.kind() == ErrorKind::Timeout || error.status().is_some_and(|status| status.code == 408);
    let after = if late && !said.contains(" within ") { format!(" (after {})", duration(took)) } else { String::new() };
    let text = format!("error calling {service}.{endpoint}: {said}{after}");
    CommandError::new(kind(error.kind()), text).because(error)
}

/// A command's error about the registry or anything else: the text as it is.
pub fn plain(error: Error) -> CommandError {
    CommandError::new(kind(error.kind()), text(&error)).because(error)
}

/// `12ms`, `1.5s`, `1m30s`: short, for people.
pub fn duration(took: Duration) -> String {
    let millis = took.as_millis();
    match millis {
        0 => "<1ms".to_owned(),
        1..1_000 => format!("{millis}ms"),
        1_000..60_000 if millis % 1_000 < 50 => format!("{}s", millis / 1_000),
        1_000..60_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{}m{}s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

fn service(status: &Status) -> String {
    let detail = if status.detail.is_empty() { &status.status } else { &status.detail };
    match (status.code, status.status.is_empty() || status.detail.is_empty()) {
        (0, _) => detail.clone(),
        (code, true) => format!("{detail} ({code})"),
        (code, false) => format!("{detail} ({code} {})", status.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: i32, detail: &str, status: &str) -> Error {
        Error::service(Status {
            id: "go.micro.srv.t".to_owned(),
            code,
            detail: detail.to_owned(),
            status: status.to_owned(),
        })
    }

    fn said(error: Error) -> String {
        let error = calling("go.micro.srv.t", "T.Do", error, Duration::from_millis(5_001));
        format!("{}: {}", error.kind.as_str(), error.text)
    }

    #[test]
    fn each_error_says_what_people_need() {
        let lines: Vec<String> = [
            status(400, "bad bob", "Bad Request"),
            status(404, "", "Not Found"),
            status(418, "teapot", ""),
            status(0, "plain go error", ""),
            status(408, "upstream is slow", "Request Timeout"),
            Error::new(ErrorKind::Timeout, "10.0.0.1:80: no answer in time"),
            Error::new(ErrorKind::Timeout, "10.0.0.1:80: no answer within 5s; the call may have run"),
            Error::new(ErrorKind::Unsure, "10.0.0.1:80: connection broke"),
            Error::new(ErrorKind::Unreachable, "10.0.0.1:80: no route"),
            Error::new(ErrorKind::TooLarge, "answer is larger than 16 MiB (max_message)"),
        ]
        .into_iter()
        .map(said)
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        failed: error calling go.micro.srv.t.T.Do: bad bob (400 Bad Request)
        failed: error calling go.micro.srv.t.T.Do: Not Found (404)
        failed: error calling go.micro.srv.t.T.Do: teapot (418)
        failed: error calling go.micro.srv.t.T.Do: plain go error
        failed: error calling go.micro.srv.t.T.Do: upstream is slow (408 Request Timeout) (after 5s)
        timeout: error calling go.micro.srv.t.T.Do: 10.0.0.1:80: no answer in time (after 5s)
        timeout: error calling go.micro.srv.t.T.Do: 10.0.0.1:80: no answer within 5s; the call may have run
        unsure: error calling go.micro.srv.t.T.Do: 10.0.0.1:80: connection broke; it may have run
        unreachable: error calling go.micro.srv.t.T.Do: 10.0.0.1:80: no route
        too_large: error calling go.micro.srv.t.T.Do: answer is larger than 16 MiB (max_message)
        ");
    }

    #[test]
    fn durations_are_short() {
        let said: Vec<String> = [0, 7, 999, 1_000, 1_049, 1_560, 59_999, 90_000, 3_600_000]
            .map(|millis| duration(Duration::from_millis(millis)))
            .into();
        assert_eq!(said, ["<1ms", "7ms", "999ms", "1s", "1s", "1.5s", "59.9s", "1m30s", "60m0s"]);
    }
}
