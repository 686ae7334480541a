//! Bytes of a pipe into messages: pure, a chunk at a time.
//!
//! One message a line; `\r\n` ends a line too; blank lines are no messages. A fence is three backticks. A line with a
//! fence that opens a block (alone or at its end, a language may follow) goes on, newlines included, until a line that
//! closes it: the next one with an odd number of fences.

use std::mem;

/// The longest message, in bytes without its last line end: 1 MiB.
pub(crate) const LONGEST: usize = 1 << 20;

const FENCE: &[u8] = b"```";

/// The longest name of a language behind a fence: `json`.
const LONGEST_TAG: usize = 16;

/// What one message of the input was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message, byte for byte.
    Said(String),
    /// No message could be made of it.
    Bad(Bad),
}

/// Why no message could be made of a line or a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A line longer than [`LONGEST`]; all of it was discarded.
    LongLine,
    /// A block longer than [`LONGEST`]; discarded up to the fence that closes it.
    LongBlock,
    /// The input ended inside a block.
    OpenBlock,
    /// Not UTF-8 from this byte on, counted from 1 within the message.
    NotText(usize),
}

/// Where the framing stands between two chunks. Holds at most [`LONGEST`] bytes and a line end.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// What was read of the current message: whole lines of an open block, then part of a line.
    held: Vec<u8>,
    /// Where in `held` the current line begins.
    line: usize,
    /// Whether `held` began with a line that opened a block.
    open: bool,
    /// The rest of a message that is too long, as it goes by.
    skip: Option<Skip>,
}

impl Framer {
    /// Takes the next message off the front of `input`; `None`: all of it was taken, and no message is complete.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> Option<Heard> {
        loop {
            let (line, whole) = cut(input)?;
            let heard = if self.skip.is_some() { self.pass(line, whole) } else { self.hear(line, whole) };
            if heard.is_some() {
                return heard;
            }
        }
    }

    /// The input has ended: the last line may lack its line end.
    pub(crate) fn finish(&mut self) -> Option<Heard> {
        if let Some(skip) = self.skip.take() {
            return Some(Heard::Bad(skip.why));
        }
        if self.held.is_empty() {
            return None;
        }
        let heard = self.end_line();
        match mem::take(self) {
            Self { open: true, .. } => Some(Heard::Bad(Bad::OpenBlock)),
            _ => heard,
        }
    }

    /// A piece of a line, `whole` with the line's end.
    fn hear(&mut self, piece: &[u8], whole: bool) -> Option<Heard> {
        // A `\r` before the line's end is no part of the message; until the end is seen it may be one byte too many.
        let spare = usize::from(piece.last().or(self.held.last()) == Some(&b'\r'));
        if self.held.len() + piece.len() > LONGEST + spare {
            return self.give_up(piece, whole);
        }
        if whole && self.held.is_empty() {
            let line = trim_cr(piece);
            if !opens(line) {
                return message(line);
            }
        }
        self.held.extend_from_slice(piece);
        if whole { self.end_line() } else { None }
    }

    /// `held` ends with a whole line.
    fn end_line(&mut self) -> Option<Heard> {
        let line = trim_cr(&self.held[self.line..]);
        let end = self.line + line.len();
        let goes_on = if self.open { fences(line).is_multiple_of(2) } else { opens(line) };
        self.held.truncate(end);
        if goes_on {
            self.open = true;
            self.held.push(b'\n');
            self.line = self.held.len();
            return None;
        }
        let heard = message(&self.held);
        self.held.clear();
        // One long message must not keep its memory for ever.
        self.held.shrink_to(1 << 16);
        (self.line, self.open) = (0, false);
        heard
    }

    /// The message has become too long: its rest goes by unheard.
    fn give_up(&mut self, piece: &[u8], whole: bool) -> Option<Heard> {
        let why = if self.open { Bad::LongBlock } else { Bad::LongLine };
        let mut skip = Skip::new(why, self.open);
        skip.pass(&self.held[self.line..]);
        *self = Self { skip: Some(skip), ..Self::default() };
        self.pass(piece, whole)
    }

    fn pass(&mut self, piece: &[u8], whole: bool) -> Option<Heard> {
        let skip = self.skip.as_mut()?;
        skip.pass(piece);
        if !whole || skip.goes_on() {
            return None;
        }
        self.skip.take().map(|skip| Heard::Bad(skip.why))
    }
}

/// What must be known of bytes that go by: whether a block is open at the end of a line. Without it the lines of a block
/// whose beginning was too long would be taken for commands. It agrees with [`opens`], a byte at a time.
#[derive(Debug)]
struct Skip {
    why: Bad,
    open: bool,
    /// Fences of the current line.
    fences: usize,
    /// Backticks in a row, just now.
    ticks: usize,
    /// Whether a blank, or nothing, stands before them.
    led: bool,
    /// Whether the byte before was a blank, or none.
    blank: bool,
    end: End,
}

/// How the current line ends so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Other,
    /// With a fence; blanks may follow.
    Fence,
    /// With a fence and so many bytes of its language; blanks may follow.
    Tag(usize),
}

impl Skip {
    fn new(why: Bad, open: bool) -> Self {
        Self { why, open, fences: 0, ticks: 0, led: true, blank: true, end: End::Other }
    }

    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if byte == b'`' {
            self.led = if self.ticks == 0 { self.blank } else { self.led };
            self.ticks += 1;
            self.fences += usize::from(self.ticks.is_multiple_of(FENCE.len()));
            self.end = if self.ticks >= FENCE.len() { End::Fence } else { End::Other };
        } else if !byte.is_ascii_whitespace() {
            self.end = match self.end {
                End::Fence if self.led && self.ticks == FENCE.len() && is_tag(byte) => End::Tag(1),
                End::Tag(count) if !self.blank && count < LONGEST_TAG && is_tag(byte) => End::Tag(count + 1),
                _ => End::Other,
            };
        }
        self.ticks = if byte == b'`' { self.ticks } else { 0 };
        self.blank = byte.is_ascii_whitespace();
    }

    /// A line has ended: whether its block, if any, goes on.
    fn goes_on(&mut self) -> bool {
        let odd = self.fences % 2 == 1;
        let open = if self.open { !odd } else { odd && self.end != End::Other };
        *self = Self::new(self.why, open);
        open
    }
}

/// Whether a line (without its end) opens a block that later lines close: its last fence stands at its end, or after a
/// blank with nothing but the name of a language behind it.
fn opens(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some(at) = line.windows(FENCE.len()).rposition(|three| three == FENCE) else { return false };
    let tag = &line[at + FENCE.len()..];
    let led = line[..at].last().is_none_or(u8::is_ascii_whitespace);
    (tag.is_empty() || led && tag.len() <= LONGEST_TAG && tag.iter().all(|byte| is_tag(*byte))) && fences(line) % 2 == 1
}

fn is_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-_".contains(&byte)
}

/// Whether a text ends inside a block.
#[cfg(feature = "terminal")]
pub(crate) fn is_open(text: &str) -> bool {
    text.lines().fold(false, |open, line| {
        let line = line.as_bytes();
        if open { fences(line).is_multiple_of(2) } else { opens(line) }
    })
}

/// The fences of a line, from the left, none of them overlapping.
fn fences(line: &[u8]) -> usize {
    line.split(|byte| *byte != b'`').map(|ticks| ticks.len() / FENCE.len()).sum()
}

/// Cuts the first line off `input`, or all of it: without its `\n`, and whether that was there.
fn cut<'a>(input: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    if input.is_empty() {
        return None;
    }
    let (line, rest, whole) = match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..], true),
        None => (*input, &[][..], false),
    };
    *input = rest;
    Some((line, whole))
}

fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn message(bytes: &[u8]) -> Option<Heard> {
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    Some(match std::str::from_utf8(bytes) {
        Ok(text) => Heard::Said(text.to_owned()),
        Err(error) => Heard::Bad(Bad::NotText(error.valid_up_to() + 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Heard> {
        let mut framer = Framer::default();
        let mut heard = Vec::new();
        for mut chunk in chunks {
            while let Some(one) = framer.take(&mut chunk) {
                heard.push(one);
            }
            assert!(chunk.is_empty(), "a chunk is taken whole");
            assert!(framer.held.len() <= LONGEST + 1, "what is held is bounded");
        }
        heard.extend(framer.finish());
        assert_eq!(framer.finish(), None, "an end is told once");
        heard
    }

    fn whole(input: impl AsRef<[u8]>) -> Vec<Heard> {
        frame([input.as_ref()])
    }

    fn said(texts: &[&str]) -> Vec<Heard> {
        texts.iter().map(|text| Heard::Said((*text).to_owned())).collect()
    }

    #[test]
    fn a_line_is_a_message_and_a_blank_line_is_none() {
        assert_eq!(whole(""), []);
        assert_eq!(whole("\n \t\r\n\r\n"), []);
        assert_eq!(whole("ping"), said(&["ping"]));
        assert_eq!(whole("ping\n\n  echo a  b \r\nlast\r"), said(&["ping", "  echo a  b ", "last"]));
        assert_eq!(whole("a\rb\0\x1b[1m\n"), said(&["a\rb\0\x1b[1m"]));
    }

    #[test]
    fn a_block_goes_on_until_its_fence_closes() {
        assert_eq!(whole("```\ncall a b\n```\nping\n"), said(&["```\ncall a b\n```", "ping"]));
        assert_eq!(
            whole("call a b ``` \r\n{\r\n\r\n \"x\": 1\n}```\nping"),
            said(&["call a b ``` \n{\n\n \"x\": 1\n}```", "ping"])
        );
        assert_eq!(whole("call a b ```{}```\nping"), said(&["call a b ```{}```", "ping"]));
        assert_eq!(whole("call a b ```{\nping"), said(&["call a b ```{", "ping"]));
        assert_eq!(whole("```\na ```b``` c\n``` --raw"), said(&["```\na ```b``` c\n``` --raw"]));
        assert_eq!(whole("```\nx\n```"), said(&["```\nx\n```"]));
        assert_eq!(whole("call a b ```json \n{}\n```\nping"), said(&["call a b ```json \n{}\n```", "ping"]));
        for line in ["echo a```b", "echo ```{", "echo ``` b", "echo ````b", "echo ```b```"] {
            assert_eq!(whole(format!("{line}\nping")), said(&[line, "ping"]));
        }
    }

    #[test]
    fn a_block_that_nobody_closes_is_an_error() {
        assert_eq!(whole("```"), [Heard::Bad(Bad::OpenBlock)]);
        assert_eq!(whole("ping\ncall a b ```\n{}\n"), [said(&["ping"]), vec![Heard::Bad(Bad::OpenBlock)]].concat());
        assert_eq!(whole("call a b ```\n{}"), [Heard::Bad(Bad::OpenBlock)]);
    }

    #[cfg(feature = "terminal")]
    #[test]
    fn a_text_is_open_while_its_block_is() {
        for open in ["```", "call a b ```", "call a b ``` \n{}", "ping\n```\nx\n"] {
            assert!(is_open(open), "{open}");
        }
        for whole in ["", "ping", "```\n```", "call a b ```{}```", "call a b ```\n{}```", "call a b ```{"] {
            assert!(!is_open(whole), "{whole}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_named_and_the_next_line_is_heard() {
        assert_eq!(whole(b"\xff\nping\n"), [vec![Heard::Bad(Bad::NotText(1))], said(&["ping"])].concat());
        assert_eq!(whole(b"echo \xc3"), [Heard::Bad(Bad::NotText(6))]);
        assert_eq!(
            whole(b"```\n\xfe\n```\nping"),
            [vec![Heard::Bad(Bad::NotText(5))], said(&["ping"])].concat(),
            "an error inside a block is told once, at its end"
        );
    }

    #[test]
    fn a_line_of_a_mebibyte_is_heard_and_one_byte_more_is_not() {
        let just = "x".repeat(LONGEST);
        for end in ["", "\n", "\r\n"] {
            assert_eq!(whole(format!("{just}{end}")), said(&[&just]));
            let ping = if end.is_empty() { "" } else { "ping" };
            let heard = whole(format!("{just}x{end}{ping}"));
            assert_eq!(heard[0], Heard::Bad(Bad::LongLine));
            assert_eq!(heard[1..], if end.is_empty() { vec![] } else { said(&["ping"]) });
        }
    }

    #[test]
    fn no_line_of_a_block_too_long_is_taken_for_a_command() {
        let long = "y".repeat(600_000);
        let heard = whole(format!("call a b ```\n{long}\n{long}\nrm all\n```\nping\n"));
        assert_eq!(heard, [vec![Heard::Bad(Bad::LongBlock)], said(&["ping"])].concat());
        let heard = whole(format!("{long}{long}```\nrm all\n`` ` ``x`\n```\nping\n"));
        assert_eq!(heard, [vec![Heard::Bad(Bad::LongLine)], said(&["ping"])].concat());
        assert_eq!(whole(format!("```\n{long}\n{long}\n")), [Heard::Bad(Bad::LongBlock)]);
    }

    /// A small generator with a known start: the same cases in every run.
    fn noise(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state % 1_000_003).unwrap()
    }

    #[test]
    fn a_line_that_goes_by_opens_what_it_would_have_opened() {
        let parts = ["```", "`", "json", " ", "{", "\t", "é", "+", "abcdefghijklmnopq", "\r"];
        let mut state = 0x2545_f491_4f6c_dd1d;
        let mut opened = 0;
        for _ in 0..20_000 {
            let line: String = (0..noise(&mut state) % 7).map(|_| parts[noise(&mut state) % parts.len()]).collect();
            let mut skip = Skip::new(Bad::LongLine, false);
            skip.pass(line.as_bytes());
            assert_eq!(skip.goes_on(), opens(line.as_bytes()), "{line:?}");
            opened += usize::from(opens(line.as_bytes()));
        }
        assert!(opened > 1000, "{opened}");
    }

    #[test]
    fn how_the_input_is_cut_makes_no_difference() {
        let long = "z".repeat(LONGEST + 5);
        let parts =
            ["ping\n", "\r\n", "```", "\n", "`", "``", "é", "\u{201c}", "a b", " ", "\r", "call x y ```\n{}\n```\n"];
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for round in 0..400 {
            let mut input = Vec::new();
            for _ in 0..noise(&mut state) % 40 {
                match noise(&mut state) % 30 {
                    0 => input.push(0xff),
                    1 if round % 50 == 0 => input.extend_from_slice(long.as_bytes()),
                    _ => input.extend_from_slice(parts[noise(&mut state) % parts.len()].as_bytes()),
                }
            }
            let expected = whole(&input);
            let most = if input.len() > LONGEST { 300_000 } else { 7 };
            let (mut chunks, mut rest) = (Vec::new(), input.as_slice());
            while !rest.is_empty() {
                let (chunk, next) = rest.split_at(rest.len().min(1 + noise(&mut state) % most));
                chunks.push(chunk);
                rest = next;
            }
            assert_eq!(frame(chunks), expected, "round {round}: {:?}", String::from_utf8_lossy(&input));
        }
    }
}
