//! Answers as people read them on a terminal: tables in columns, marks in colour, nothing that steers the terminal. Pure.

use bot::message::Body;
use bot::reply::{Block, Cell, Mark, Reply};
use std::fmt::Write;

/// What stands between two columns.
const GAP: &str = "  ";

/// An answer as text without a newline at its end; with `colour`, marks and heads are painted.
pub(crate) fn said(reply: &Reply, colour: bool) -> String {
    if reply.blocks.is_empty() {
        return tame(reply.text.as_deref().unwrap_or_default());
    }
    let blocks: Vec<String> = reply.blocks.iter().map(|block| block_text(block, colour)).collect();
    let text = blocks.join("\n");
    if colour && reply.failed.is_some() { paint(&text, "31") } else { text }
}

fn block_text(block: &Block, colour: bool) -> String {
    match block {
        Block::Text(text) => tame(text),
        Block::Code { body, .. } => tame(body.strip_suffix('\n').unwrap_or(body)),
        Block::Table { head, rows } => table(head, rows, colour),
        Block::Fields(fields) => {
            let rows: Vec<Vec<Cell>> = fields
                .iter()
                .map(|(name, cell)| vec![Cell { text: format!("{name}:"), mark: Mark::Plain }, cell.clone()])
                .collect();
            table(&[], &rows, colour)
        }
        Block::Buttons(buttons) => {
            let lines: Vec<String> = buttons.iter().map(|(label, body)| button(label, body)).collect();
            lines.join("\n")
        }
        Block::File { name, mime, body } => match std::str::from_utf8(body) {
            Ok(text) => format!("{}:\n{}", tame(name), tame(text.strip_suffix('\n').unwrap_or(text))),
            Err(_) => format!("{} ({}, {} bytes)", tame(name), tame(mime), body.len()),
        },
        _ => "(this terminal cannot show a part of the answer)".to_owned(),
    }
}

fn button(label: &str, body: &Body) -> String {
    match body {
        Body::Text { text, .. } => format!("{}: type {}", tame(label), tame(text)),
        Body::Form { .. } | Body::Press { .. } => format!("[{}]", tame(label)),
    }
}

/// Columns as wide as their widest cell; the last one is not filled up.
fn table(head: &[String], rows: &[Vec<Cell>], colour: bool) -> String {
    let head = head.iter().map(|name| (cell(name), "1"));
    let rows = rows.iter().map(|row| row.iter().map(|one| (cell(&one.text), sgr(one.mark))).collect());
    let lines: Vec<Vec<(String, &str)>> =
        [head.collect::<Vec<_>>()].into_iter().filter(|head| !head.is_empty()).chain(rows).collect();
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, (text, _)) in widths.iter_mut().zip(line) {
            *width = (*width).max(text.chars().count());
        }
    }
    let mut table = String::new();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            table.push('\n');
        }
        let last = line.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1);
        for (column, (text, sgr)) in line.iter().enumerate().take(last) {
            if column > 0 {
                table.push_str(GAP);
            }
            let fill = if column + 1 < last { widths[column] - text.chars().count() } else { 0 };
            if colour && !sgr.is_empty() && !text.is_empty() {
                table.push_str(&paint(text, sgr));
            } else {
                table.push_str(text);
            }
            let _ = write!(table, "{:fill$}", "");
        }
    }
    table
}

/// A cell is one line.
fn cell(text: &str) -> String {
    tame(text).replace(['\n', '\t'], " ")
}

fn sgr(mark: Mark) -> &'static str {
    match mark {
        Mark::Plain => "",
        Mark::Good => "32",
        Mark::Bad => "31",
        Mark::Unknown => "33",
        Mark::Odd => "35",
    }
}

/// Paints each line on its own, so that an answer cut in the middle leaves no colour behind.
fn paint(text: &str, sgr: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| format!("\x1b[{sgr}m{line}\x1b[0m")).collect();
    lines.join("\n")
}

/// The text with everything made visible that a terminal would obey: control characters, and those that turn the
/// direction of what follows.
pub(crate) fn tame(text: &str) -> String {
    let mut tame = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(one) = chars.next() {
        match one {
            '\n' | '\t' => tame.push(one),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\0'..='\x1f' => tame.push(char::from_u32(0x2400 + u32::from(one)).unwrap_or('\u{fffd}')),
            '\x7f' => tame.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => tame.push('\u{fffd}'),
            _ => tame.push(one),
        }
    }
    tame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str, mark: Mark) -> Cell {
        Cell { text: text.to_owned(), mark }
    }

    fn health() -> Reply {
        let head = vec!["node".to_owned(), "address".to_owned(), "status".to_owned()];
        let rows = vec![
            vec![cell("greeter-1", Mark::Plain), cell("127.0.0.1:4001", Mark::Plain), cell("ok", Mark::Good)],
            vec![cell("größer-12", Mark::Plain), cell("", Mark::Plain), cell("timed\nout", Mark::Bad)],
            vec![cell("g", Mark::Plain), cell("x", Mark::Odd)],
        ];
        let fields =
            vec![("service".to_owned(), cell("greeter", Mark::Plain)), ("v".to_owned(), cell("1", Mark::Unknown))];
        let code = Block::Code { lang: "json".into(), body: "{\n  \"a\": 1\n}\n".into() };
        let blocks = vec![Block::Fields(fields), Block::Table { head, rows }, Block::Text("Done.".into()), code];
        Reply { blocks, ..Reply::default() }
    }

    #[test]
    fn tables_stand_in_columns() {
        insta::assert_snapshot!(said(&health(), false), @r#"
        service:  greeter
        v:        1
        node       address         status
        greeter-1  127.0.0.1:4001  ok
        größer-12                  timed out
        g          x
        Done.
        {
          "a": 1
        }
        "#);
    }

    #[test]
    fn marks_are_painted_and_columns_still_stand() {
        insta::assert_snapshot!(said(&health(), true).replace('\x1b', "^"), @r#"
        service:  greeter
        v:        ^[33m1^[0m
        ^[1mnode^[0m       ^[1maddress^[0m         ^[1mstatus^[0m
        greeter-1  127.0.0.1:4001  ^[32mok^[0m
        größer-12                  ^[31mtimed out^[0m
        g          ^[35mx^[0m
        Done.
        {
          "a": 1
        }
        "#);
    }

    #[test]
    fn a_failure_is_red_line_by_line() {
        let reply = Reply { failed: Some(bot::command::CommandErrorKind::NotFound), ..Reply::text("no\nsuch") };
        assert_eq!(said(&reply, true), "\x1b[31mno\x1b[0m\n\x1b[31msuch\x1b[0m");
        assert_eq!(said(&reply, false), "no\nsuch");
    }

    #[test]
    fn what_would_steer_the_terminal_is_shown_instead() {
        let nasty = "a\x1b]0;title\x07\r\nb\rc\u{9b}\u{202e}x\x7f\0\té";
        let shown = "a␛]0;title␇\nb␍c\u{fffd}\u{fffd}x␡␀\té";
        assert_eq!(tame(nasty), shown);
        let row = vec![vec![cell("\x1b[2J", Mark::Good)]];
        let blocks = vec![
            Block::Table { head: vec!["\x1b".into()], rows: row },
            Block::Buttons(vec![("\x1b".into(), Body::Text { text: "\x1b".into(), raw: String::new() })]),
            Block::File { name: "\x1b".into(), mime: "\x1b".into(), body: vec![0xff].into() },
            Block::File { name: "\x1b".into(), mime: String::new(), body: "\x1b".into() },
        ];
        let text = said(&Reply { blocks, ..Reply::default() }, false);
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
