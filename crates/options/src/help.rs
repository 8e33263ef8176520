//! The help, written from the table.

use crate::table::{Group, Row, TABLE};
use std::fmt::Write;

const HEAD: &str = "\
thalweg: HTTP/2 and HTTP/1.1 for Python (WSGI) applications, on one port

  thalweg [OPTIONS] [MODULE[:CALLABLE]]
  thalweg app:app                                     HTTP on 127.0.0.1:8000
  thalweg --https2 addr=:8443,cert=server.crt,key=server.key --module app:app
";

const TAIL: &str = "
[x] is the default; an option with ... may be repeated.
ADDRESS is HOST:PORT, :PORT, [IPV6]:PORT, /path/of/a/socket, fd://N (inherited) or =N (shared).
SIGTERM and SIGINT finish open requests, then leave; a second one leaves at once.
";

/// What `thalweg --help` prints.
pub fn help() -> String {
    let mut out = String::from(HEAD);
    for group in Group::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n{}:", group.title());
        for row in TABLE.iter().filter(|row| row.group == group) {
            entry(&mut out, row);
        }
    }
    out.push_str("\nNames that uWSGI and other servers have for them:\n");
    for row in TABLE.iter().filter(|row| !row.also.is_empty()) {
        let left = format!("      --{}", row.name);
        let _ = writeln!(out, "{left:COLUMN$}--{}", row.also.join(", --"));
    }
    out.push_str(TAIL);
    out
}

/// The column where meanings begin.
const COLUMN: usize = 34;

fn entry(out: &mut String, row: &Row) {
    let mut left = match row.short {
        Some(letter) => format!("  -{letter}, --{}", row.name),
        None => format!("      --{}", row.name),
    };
    if !row.form.is_empty() {
        left.push(' ');
        left.push_str(row.form);
    }
    if row.repeats {
        left.push_str(" ...");
    }
    let mut right = row.meaning.to_owned();
    if !row.default.is_empty() {
        right.push_str(" [");
        right.push_str(row.default);
        right.push(']');
    }
    if left.len() + 2 > COLUMN {
        let _ = writeln!(out, "{left}");
        left.clear();
    }
    for line in right.lines() {
        let _ = writeln!(out, "{left:COLUMN$}{line}");
        left.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use std::collections::HashSet;

    #[test]
    fn the_help_has_every_option_once_and_fits_a_terminal() {
        let help = help();
        for row in TABLE {
            let name = format!("--{}", row.name);
            let entries = help
                .lines()
                .take_while(|line| !line.starts_with("Names that"))
                .filter(|line| line.starts_with("    ") || line.starts_with("  -"));
            let lines = entries
                .filter(|line| line.split_whitespace().take(2).any(|word| word == name))
                .count();
            assert_eq!(lines, 1, "--{}", row.name);
        }
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn no_name_stands_for_two_options() {
        let mut names = HashSet::new();
        for row in TABLE {
            assert!(row.name.len() > 1 && !row.meaning.is_empty());
            for name in std::iter::once(&row.name).chain(row.also) {
                assert!(names.insert(*name), "{name}");
                assert_eq!(table::find(name).map(|found| found.name), Some(row.name));
            }
            if let Some(letter) = row.short {
                assert_eq!(
                    table::find_short(letter).map(|found| found.name),
                    Some(row.name)
                );
            }
        }
    }
}
