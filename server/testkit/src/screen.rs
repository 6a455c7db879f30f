//! The screen of a Neovim as it draws it: cells with styles, fed by the `redraw` events of the line-grid interface.
//!
//! One grid holds everything, floats and status line included, which is what a person sees. The screen can be read as
//! text, asked for the style of a place, and turned into a page from which a picture is taken.

use std::collections::HashMap;
use std::fmt::Write;

use rmpv::Value;

/// A character of the screen and the id of its style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The character; empty for the right half of a wide one.
    pub text: String,
    /// The id of its style.
    pub style: u64,
}

/// How a cell is drawn. Colors are 0xRRGGBB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Text color.
    pub foreground: Option<u64>,
    /// Background color.
    pub background: Option<u64>,
    /// Whether both are exchanged.
    pub reverse: bool,
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined, in any way.
    pub underline: bool,
    /// Struck through.
    pub strikethrough: bool,
}

/// A screen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    cells: Vec<Vec<Cell>>,
    styles: HashMap<u64, Style>,
    foreground: u64,
    background: u64,
    cursor: (usize, usize),
}

impl Screen {
    /// The rows as text without trailing spaces.
    pub fn lines(&self) -> Vec<String> {
        let row = |cells: &Vec<Cell>| cells.iter().map(|cell| cell.text.as_str()).collect::<String>();
        self.cells.iter().map(|cells| row(cells).trim_end().to_owned()).collect()
    }

    /// The whole screen as text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The row and column of the cursor.
    pub fn cursor(&self) -> (usize, usize) {
        self.cursor
    }

    /// The style of the first place where this text stands on the screen.
    pub fn style_of(&self, text: &str) -> Option<Style> {
        self.cells.iter().find_map(|row| {
            let line: String = row.iter().map(|cell| cell.text.as_str()).collect();
            let at = line.find(text)?;
            let mut bytes = 0;
            let cell = row.iter().find(|cell| {
                let here = bytes == at && !cell.text.is_empty();
                bytes += cell.text.len();
                here
            })?;
            Some(self.styles.get(&cell.style).cloned().unwrap_or_default())
        })
    }

    /// Takes the events of one `redraw` notification; true when one of them was a `flush`.
    pub(crate) fn redraw(&mut self, events: &[Value]) -> bool {
        let mut flushed = false;
        for event in events {
            let Some([name, batches @ ..]) = event.as_array().map(Vec::as_slice) else { continue };
            let name = name.as_str().unwrap_or_default();
            for arguments in batches {
                let arguments = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
                self.event(name, arguments);
            }
            flushed |= name == "flush";
        }
        flushed
    }

    fn event(&mut self, name: &str, arguments: &[Value]) {
        let number = |index: usize| arguments.get(index).and_then(Value::as_u64).unwrap_or_default() as usize;
        match name {
            "grid_resize" => {
                let (width, height) = (number(1), number(2));
                self.cells.resize_with(height, Vec::new);
                self.cells.iter_mut().for_each(|row| row.resize(width, blank()));
            }
            "grid_clear" => self.cells.iter_mut().flatten().for_each(|cell| *cell = blank()),
            "grid_cursor_goto" => self.cursor = (number(1), number(2)),
            "default_colors_set" => {
                self.foreground = number(0) as u64;
                self.background = number(1) as u64;
            }
            "hl_attr_define" => {
                if let Some(attributes) = arguments.get(1).and_then(Value::as_map) {
                    self.styles.insert(number(0) as u64, style(attributes));
                }
            }
            "grid_line" => self.line(number(1), number(2), arguments.get(3).and_then(Value::as_array)),
            "grid_scroll" => {
                let rows = arguments.get(5).and_then(Value::as_i64).unwrap_or_default();
                self.scroll(number(1), number(2), number(3), number(4), rows);
            }
            _ => {}
        }
    }

    fn line(&mut self, row: usize, mut column: usize, cells: Option<&Vec<Value>>) {
        let Some(target) = self.cells.get_mut(row) else { return };
        let mut current = 0;
        for cell in cells.into_iter().flatten() {
            let parts = cell.as_array().map(Vec::as_slice).unwrap_or_default();
            let text = parts.first().and_then(Value::as_str).unwrap_or_default();
            current = parts.get(1).and_then(Value::as_u64).unwrap_or(current);
            for _ in 0..parts.get(2).and_then(Value::as_u64).unwrap_or(1) {
                if let Some(place) = target.get_mut(column) {
                    *place = Cell { text: text.to_owned(), style: current };
                }
                column += 1;
            }
        }
    }

    fn scroll(&mut self, top: usize, bottom: usize, left: usize, right: usize, rows: i64) {
        let shift = rows.unsigned_abs() as usize;
        let moved: Vec<usize> = if rows > 0 {
            (top..bottom.saturating_sub(shift)).collect()
        } else {
            (top + shift..bottom).rev().collect()
        };
        for row in moved {
            let from = if rows > 0 { row + shift } else { row - shift };
            let cells = self.cells[from][left..right].to_vec();
            self.cells[row][left..right].clone_from_slice(&cells);
        }
    }

    /// A page that shows the screen as a terminal with a title.
    pub fn html(&self, title: &str) -> String {
        let mut page = format!(
            "<!doctype html><meta charset=utf-8><title>{}</title><style>\
             body{{margin:0;background:#{:06x}}}\
             pre{{margin:0;padding:12px 14px;display:inline-block;color:#{:06x};background:#{:06x};\
             font:14px/19px 'DejaVu Sans Mono',monospace}}</style><pre>",
            escape(title),
            self.background,
            self.foreground,
            self.background
        );
        for row in &self.cells {
            let mut start = 0;
            while start < row.len() {
                let style = row[start].style;
                let end = (start..row.len()).find(|column| row[*column].style != style).unwrap_or(row.len());
                let text: String = row[start..end].iter().map(|cell| cell.text.as_str()).collect();
                let _ = write!(page, "<span style=\"{}\">{}</span>", self.css(style), escape(&text));
                start = end;
            }
            page.push('\n');
        }
        page.push_str("</pre>");
        page
    }

    fn css(&self, id: u64) -> String {
        let style = self.styles.get(&id).cloned().unwrap_or_default();
        let mut foreground = style.foreground.unwrap_or(self.foreground);
        let mut background = style.background.unwrap_or(self.background);
        if style.reverse {
            std::mem::swap(&mut foreground, &mut background);
        }
        let mut css = format!("color:#{foreground:06x};background:#{background:06x}");
        for (on, rule) in [
            (style.bold, ";font-weight:bold"),
            (style.italic, ";font-style:italic"),
            (style.underline, ";text-decoration:underline"),
            (style.strikethrough, ";text-decoration:line-through"),
        ] {
            if on {
                css.push_str(rule);
            }
        }
        css
    }
}

fn blank() -> Cell {
    Cell { text: " ".into(), style: 0 }
}

fn style(attributes: &[(Value, Value)]) -> Style {
    let get =
        |name: &str| attributes.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value);
    let on = |name: &str| get(name).and_then(Value::as_bool).unwrap_or_default();
    Style {
        foreground: get("foreground").and_then(Value::as_u64),
        background: get("background").and_then(Value::as_u64),
        reverse: on("reverse"),
        bold: on("bold"),
        italic: on("italic"),
        underline: ["underline", "undercurl", "underdouble", "underdotted", "underdashed"]
            .iter()
            .any(|name| on(name)),
        strikethrough: on("strikethrough"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, arguments: Vec<Value>) -> Value {
        Value::Array(vec![name.into(), Value::Array(arguments)])
    }

    fn line(row: u64, text: &str) -> Value {
        let cells = text.chars().map(|c| Value::Array(vec![c.to_string().into(), 7.into()])).collect();
        event("grid_line", vec![1.into(), row.into(), 0.into(), Value::Array(cells), false.into()])
    }

    #[test]
    fn lines_repeats_scrolling_and_styles_are_followed() {
        let mut screen = Screen::default();
        let bold = Value::Map(vec![("bold".into(), true.into()), ("foreground".into(), 0xff0000.into())]);
        screen.redraw(&[
            event("grid_resize", vec![1.into(), 4.into(), 3.into()]),
            event("hl_attr_define", vec![7.into(), bold]),
            line(0, "abc"),
            line(1, "def"),
            event(
                "grid_line",
                vec![
                    1.into(),
                    2.into(),
                    0.into(),
                    Value::Array(vec![Value::Array(vec!["x".into(), 0.into(), 4.into()])]),
                    false.into(),
                ],
            ),
        ]);
        assert_eq!(screen.lines(), ["abc", "def", "xxxx"]);
        let flushed = screen.redraw(&[
            event("grid_scroll", vec![1.into(), 0.into(), 3.into(), 0.into(), 4.into(), 1.into(), 0.into()]),
            event("flush", vec![]),
        ]);
        assert!(flushed);
        assert_eq!(screen.lines(), ["def", "xxxx", "xxxx"]);
        let red = Style { foreground: Some(0xff0000), bold: true, ..Style::default() };
        assert_eq!(screen.style_of("ef"), Some(red));
        assert_eq!(screen.style_of("nowhere"), None);
    }
}
