//! The line behind `call` and `stream`: SERVICE ENDPOINT, options and the request, in the order people type them.

use crate::call::glyph;
use crate::call::options::{self, Options};
use crate::call::pairs;
use crate::call::request::{self, Request};
use crate::call::word::{self, Word};
use crate::call::wrong::Wrong;

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The service, if it was named.
    pub(crate) service: Option<Word>,
    /// The endpoint, if it was named.
    pub(crate) endpoint: Option<Word>,
    /// The options.
    pub(crate) options: Options,
    /// The request.
    pub(crate) request: Request,
}

/// A line that was not, with the names that were read before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misread {
    /// What is wrong.
    pub(crate) wrong: Wrong,
    /// The service, if it was read.
    pub(crate) service: Option<String>,
    /// The endpoint, if it was read.
    pub(crate) endpoint: Option<String>,
}

/// Reads a line; `known` are the options it may have. Options may stand anywhere outside the request.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn read(text: &str, known: &[&str]) -> Result<Line, Misread> {
    let mut line = Line { service: None, endpoint: None, options: Options::default(), request: Request::Nothing };
    let mut at = glyph::skip(text, 0);
    while at < text.len() {
        match line.part(text, at, known) {
            Ok(end) => at = glyph::skip(text, end),
            Err(wrong) => {
                let name = |word: Option<Word>| word.map(|word| word.text);
                return Err(Misread { wrong, service: name(line.service), endpoint: name(line.endpoint) });
            }
        }
    }
    Ok(line)
}

impl Line {
    /// Reads the part that begins at `at`; returns its end.
    fn part(&mut self, text: &str, at: usize, known: &[&str]) -> Result<usize, Wrong> {
        if options::is_option(text, at) {
            return self.options.read(text, at, known);
        }
        if self.service.is_none() {
            return Self::name(&mut self.service, text, at, &[]);
        }
        if self.endpoint.is_none() {
            return Self::name(&mut self.endpoint, text, at, &['{', '<']);
        }
        let end = match &mut self.request {
            Request::Nothing => {
                let (request, end) = request::read(text, at)?;
                self.request = request;
                end
            }
            Request::Pairs(known) => {
                let (more, end) = pairs::read(text, at)?;
                known.extend(more);
                end
            }
            Request::Json(_) => return Err(Wrong::new(at, "this stands behind the end of the request")),
        };
        Ok(end)
    }

    fn name(slot: &mut Option<Word>, text: &str, at: usize, stops: &[char]) -> Result<usize, Wrong> {
        let (word, end) = word::read(text, at, stops)?;
        if word.text.is_empty() || word.text.contains(char::is_control) {
            return Err(Wrong::new(at, "no name of a service or an endpoint"));
        }
        *slot = Some(word);
        Ok(end)
    }
}

/// The line without the fence or the backticks around the whole of it, of which `fence` opened and the line still has the
/// end.
pub(crate) fn unfenced<'a>(rest: &'a str, fence: &str) -> &'a str {
    let ticks = fence.trim_end_matches(|letter| letter != '`');
    let ticks = &ticks[..ticks.len() - ticks.trim_start_matches('`').len()];
    let trimmed = rest.trim_end();
    trimmed.strip_suffix(ticks).unwrap_or(trimmed)
}
