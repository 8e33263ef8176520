//! From arguments to a [`Command`], by the table.
//!
//! GNU forms: `--name value`, `--name=value`, `-n value`, `-nvalue`; `--` ends the options. The one bare argument
//! is `MODULE[:CALLABLE]`. An option given twice takes its last value, unless it adds to a list.

use crate::address::Address;
use crate::serve::{Application, Listen, Serve, Source};
use crate::table::{self, Draft, Information, TABLE};
use lexopt::{Arg, Parser};
use std::ffi::{OsStr, OsString};
use std::fmt;

/// What the arguments ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve an application.
    Serve(Box<Serve>),
    /// Print [`help`](crate::help).
    Help,
    /// Print the version.
    Version,
}

/// The arguments make no sense: one line that says which and why, without a full stop at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl UsageError {
    fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

/// Reads arguments, the program's own name not among them.
///
/// # Errors
/// The first argument that is not understood, or what is missing.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut draft = Draft::new();
    let mut bare = None;
    let mut parser = Parser::from_args(arguments);

    while let Some(argument) = parser
        .next()
        .map_err(|error| UsageError(error.to_string()))?
    {
        let (row, written) = match argument {
            Arg::Value(value) if bare.is_none() => {
                bare = Some(value);
                continue;
            }
            Arg::Value(value) => {
                return Err(UsageError(format!(
                    "'{}' is one argument too many: one application can be served, and options begin with --",
                    value.display()
                )));
            }
            Arg::Long(name) => match table::find(name) {
                Some(row) => (row, format!("--{name}")),
                None => return Err(unknown(name)),
            },
            Arg::Short(letter) => match table::find_short(letter) {
                Some(row) => (row, format!("-{letter}")),
                None => {
                    return Err(UsageError(format!(
                        "there is no option -{letter}; see --help"
                    )));
                }
            },
        };
        let value = if row.form.is_empty() {
            OsString::new()
        } else {
            let missing = |_| UsageError(format!("{written} needs a value: {}", row.form));
            parser.value().map_err(missing)?
        };
        (row.set)(&mut draft, &value).map_err(|allowed| refused(&written, &value, &allowed))?;
    }
    match draft.information {
        Some(Information::Help) => Ok(Command::Help),
        Some(Information::Version) => Ok(Command::Version),
        None => finish(draft, bare.as_deref()).map(|serve| Command::Serve(Box::new(serve))),
    }
}

/// What only all arguments together can tell.
fn finish(mut draft: Draft, bare: Option<&OsStr>) -> Result<Serve, UsageError> {
    let bare = bare.map(|value| draft.take_bare(value)).transpose()?;
    let mut serve = draft.serve;
    let source = match (bare, draft.module, draft.file) {
        (Some(module), None, None) | (None, Some(module), None) => Source::Module(module),
        (None, None, Some(file)) => Source::File(file),
        (None, None, None) => {
            return Err(UsageError::new(
                "no application is given: thalweg MODULE[:CALLABLE], --module or --wsgi-file; see --help",
            ));
        }
        _ => {
            return Err(UsageError::new(
                "only one application can be served: give one of MODULE[:CALLABLE], --module and --wsgi-file",
            ));
        }
    };
    serve.application = Application {
        source,
        callable: draft.callable,
    };
    if serve.listen.is_empty() {
        serve.listen.push(Listen::local());
    }
    check_addresses(&serve)?;
    if serve.connection_window < serve.stream_window {
        return Err(UsageError(format!(
            "--connection-window must be at least --stream-window ({} octets)",
            serve.stream_window
        )));
    }
    Ok(serve)
}

/// Every address is served once, and every reference to a shared socket leads to one.
fn check_addresses(serve: &Serve) -> Result<(), UsageError> {
    let shared = serve
        .shared_socket
        .iter()
        .map(|address| ("--shared-socket", address));
    let listen = serve
        .listen
        .iter()
        .map(|listen| (listen.option, &listen.address));
    let mut seen = Vec::new();
    for (option, address) in shared.chain(listen) {
        let count = serve.shared_socket.len();
        if matches!(address, Address::Shared(number) if *number >= count) {
            return Err(UsageError(format!(
                "{option} {address}: there is no such shared socket; {count} are given, and they count from 0"
            )));
        }
        let any_port = matches!(address, Address::Tcp { port: 0, .. });
        if seen.contains(&address) && !any_port {
            return Err(UsageError(format!(
                "{option} {address}: this address is given twice"
            )));
        }
        seen.push(address);
    }
    let unused =
        (0..serve.shared_socket.len()).find(|number| !seen.contains(&&Address::Shared(*number)));
    match unused {
        Some(number) => Err(UsageError(format!(
            "--shared-socket {}: no address refers to it (={number})",
            serve.shared_socket[number]
        ))),
        None => Ok(()),
    }
}

impl Draft {
    /// `thalweg app:app`, or `thalweg app`: the name of the module.
    fn take_bare(&mut self, value: &OsStr) -> Result<String, UsageError> {
        let text = value.to_str().unwrap_or_default();
        let (module, callable) =
            table::module(text).map_err(|allowed| refused("MODULE[:CALLABLE]", value, &allowed))?;
        self.callable = callable.or(self.callable.take());
        Ok(module)
    }
}

fn refused(written: &str, value: &OsStr, allowed: &str) -> UsageError {
    UsageError(format!(
        "{written} '{}': allowed is {allowed}",
        value.display()
    ))
}

/// Names the nearest option, if one is near.
fn unknown(name: &str) -> UsageError {
    let near = TABLE
        .iter()
        .flat_map(|row| std::iter::once(&row.name).chain(row.also))
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    UsageError(match near {
        Some((_, near)) => format!("there is no option --{name}; did you mean --{near}?"),
        None => format!("there is no option --{name}; see --help"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{Level, LogTarget};
    use std::path::PathBuf;
    use std::time::Duration;

    fn parse_words(words: &[&str]) -> Result<Command, UsageError> {
        parse(words.iter().map(OsString::from))
    }

    fn serve(words: &[&str]) -> Serve {
        match parse_words(words) {
            Ok(Command::Serve(serve)) => *serve,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    fn line(words: &[&str]) -> String {
        let line = parse_words(words)
            .expect_err(&format!("{words:?}"))
            .to_string();
        assert!(!line.contains('\n'), "one line: {line}");
        line
    }

    #[test]
    fn the_short_form_is_plain_http_on_the_usual_port() {
        let serve = serve(&["app:app"]);
        assert_eq!(serve.application.to_string(), "app:app");
        let [listen] = &serve.listen[..] else {
            panic!("{:?}", serve.listen)
        };
        assert_eq!(listen.address.to_string(), "127.0.0.1:8000");
        assert_eq!(listen.keys, None);
    }

    #[test]
    fn uwsgis_command_line_from_its_manual_is_understood() {
        let serve = serve(&[
            "--https2",
            "addr=0.0.0.0:8443,cert=foobar.crt,key=foobar.key,spdy=1",
            "--module",
            "werkzeug.testapp:test_app",
        ]);
        assert_eq!(serve.application.to_string(), "werkzeug.testapp:test_app");
        assert!(serve.listen[0].spdy);
    }

    #[test]
    fn shared_sockets_are_referred_to_by_number() {
        let serve = serve(&[
            "--shared-socket",
            "0.0.0.0:80",
            "--shared-socket",
            "0.0.0.0:443",
            "--http",
            "=0",
            "--https2",
            "addr==1,cert=a,key=b",
            "--uid",
            "user",
            "--gid",
            "users",
            "-w",
            "app",
        ]);
        assert_eq!(serve.listen[1].address, Address::Shared(1));
        assert_eq!(serve.uid.as_deref(), Some("user"));
        assert_eq!(serve.application.to_string(), "app");
    }

    #[test]
    fn values_come_in_every_gnu_form() {
        for words in [
            &["a:b", "--threads", "8"][..],
            &["a:b", "--threads=8"],
            &["--threads=8", "--", "a:b"],
            &["--threads", "2", "--threads", "8", "a:b"],
        ] {
            assert_eq!(serve(words).threads, 8, "{words:?}");
        }
        for words in [
            &["-H", "v", "a:b"][..],
            &["-Hv", "a:b"],
            &["--venv=v", "a:b"],
            &["--home", "v", "a:b"],
        ] {
            assert_eq!(
                serve(words).virtualenv,
                Some(PathBuf::from("v")),
                "{words:?}"
            );
        }
    }

    #[test]
    fn the_callable_may_stand_before_or_after_its_module() {
        for words in [
            &["--callable", "app", "--module", "m"][..],
            &["--module", "m", "--callable", "app"],
            &["--module", "m:app"],
            &["--module", "m:other", "--callable", "app"],
        ] {
            assert_eq!(serve(words).application.to_string(), "m:app", "{words:?}");
        }
        assert_eq!(
            serve(&["--wsgi-file", "./dir/app.py"])
                .application
                .to_string(),
            "./dir/app.py"
        );
    }

    #[test]
    fn lists_grow_and_other_options_take_their_last_value() {
        let serve = serve(&[
            "a:b",
            "--pythonpath",
            "x",
            "--pp",
            "y",
            "--access-log",
            "f",
            "--access-log",
            "-",
            "--log-level",
            "debug",
            "--idle-timeout",
            "5m",
            "--max-head",
            "128k",
        ]);
        assert_eq!(serve.pythonpath, [PathBuf::from("x"), PathBuf::from("y")]);
        assert_eq!(serve.access_log, Some(LogTarget::Standard));
        assert_eq!(serve.log_level, Level::Debug);
        assert_eq!(serve.idle_timeout, Duration::from_secs(300));
        assert_eq!(serve.max_head, 128 << 10);
    }

    #[test]
    fn an_unknown_option_is_answered_with_the_nearest_name() {
        for (given, near) in [
            ("--thread", "--threads"),
            ("--modul", "--module"),
            ("--acess-log", "--access-log"),
            ("--shared-sockets", "--shared-socket"),
            ("--htps2", "--https2"),
            ("--max-stream=3", "--max-streams"),
        ] {
            assert!(
                line(&["a:b", given]).ends_with(&format!("did you mean {near}?")),
                "{}",
                line(&["a:b", given])
            );
        }
        assert_eq!(
            line(&["a:b", "--xyzzy"]),
            "there is no option --xyzzy; see --help"
        );
        assert_eq!(line(&["a:b", "-x"]), "there is no option -x; see --help");
    }

    #[test]
    fn each_fault_is_one_line_that_names_option_value_and_what_is_allowed() {
        for (words, expected) in [
            (
                &["a:b", "--threads", "0"][..],
                "--threads '0': allowed is a number from 1 to 1024",
            ),
            (&["a:b", "--threads"], "--threads needs a value: N"),
            (
                &["a:b", "--http-timeout", "never"],
                "--http-timeout 'never': allowed is a time from 1ms to 24h, in seconds or as 500ms, 30s, 5m, 1h",
            ),
            (
                &["a:b", "-p", "4"],
                "-p '4': allowed is 1; more processes are not built in yet, so raise --threads instead",
            ),
            (
                &["a:b", "--log-level", "loud"],
                "--log-level 'loud': allowed is one of error, warn, info, debug, trace",
            ),
            (
                &["a:b", "--http", "8000"],
                "--http '8000': allowed is HOST:PORT, :PORT, [IPV6]:PORT, /path/of/a/socket, fd://N or =N ('8000' is none of these)",
            ),
            (
                &["a:b", "c:d"],
                "'c:d' is one argument too many: one application can be served, and options begin with --",
            ),
            (
                &["app/main.py"],
                "MODULE[:CALLABLE] 'app/main.py': allowed is a dotted name, as in package.module:callable; 'app/main.py' is none (a file is given with --wsgi-file)",
            ),
            (
                &["a b:c"],
                "MODULE[:CALLABLE] 'a b:c': allowed is a dotted name, as in package.module:callable; 'a b' is none (a file is given with --wsgi-file)",
            ),
            (
                &["--module", "app.py:1"],
                "--module 'app.py:1': allowed is a name in Python; '1' is none",
            ),
            (
                &[],
                "no application is given: thalweg MODULE[:CALLABLE], --module or --wsgi-file; see --help",
            ),
            (
                &["--http", ":80"],
                "no application is given: thalweg MODULE[:CALLABLE], --module or --wsgi-file; see --help",
            ),
            (
                &["a:b", "--wsgi-file", "c"],
                "only one application can be served: give one of MODULE[:CALLABLE], --module and --wsgi-file",
            ),
            (
                &["a:b", "--http", "=0"],
                "--http =0: there is no such shared socket; 0 are given, and they count from 0",
            ),
            (
                &[
                    "a:b",
                    "--shared-socket",
                    ":1",
                    "--http",
                    "=0",
                    "--https",
                    "=0,c,k",
                ],
                "--https =0: this address is given twice",
            ),
            (
                &["a:b", "--connection-window", "128k"],
                "--connection-window must be at least --stream-window (262144 octets)",
            ),
        ] {
            assert_eq!(line(words), expected);
        }
    }

    #[test]
    fn every_address_is_served_once() {
        assert_eq!(
            line(&["a:b", "--http", ":80", "--https", ":80,c,k"]),
            "--https :80: this address is given twice"
        );
        assert_eq!(
            line(&["a:b", "--http", "fd://3", "--shared-socket", "fd://3"]),
            "--http fd://3: this address is given twice"
        );
        assert_eq!(
            line(&["a:b", "--shared-socket", ":80"]),
            "--shared-socket :80: no address refers to it (=0)"
        );
        assert_eq!(
            serve(&["a:b", "--http", "h:0", "--http", "h:0"])
                .listen
                .len(),
            2
        );
    }

    #[test]
    fn a_module_given_twice_is_its_last_value() {
        assert_eq!(
            serve(&["--module", "a:b", "--module", "c:d"])
                .application
                .to_string(),
            "c:d"
        );
    }

    #[test]
    fn help_and_version_ask_for_nothing_else() {
        assert_eq!(parse_words(&["--help"]), Ok(Command::Help));
        assert_eq!(parse_words(&["-V"]), Ok(Command::Version));
        assert_eq!(
            parse_words(&["--version", "--help", "x"]),
            Ok(Command::Help)
        );
    }
}
