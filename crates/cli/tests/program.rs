//! The real program, started as a user starts it: what it says, and with which exit status it leaves.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program, without what this machine's environment would add.
fn thalweg(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    command
        .args(arguments)
        .env_remove("VIRTUAL_ENV")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    thalweg(arguments).output().unwrap()
}

/// Its one line on standard error, when it leaves with this status and says nothing else.
#[track_caller]
fn refusal(output: &Output, status: i32) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{told}");
    assert!(output.stdout.is_empty());
    assert_eq!(told.lines().count(), 1, "{told}");
    told.strip_prefix("thalweg: ")
        .unwrap_or_else(|| panic!("{told}"))
        .trim_end()
        .to_owned()
}

/// A folder of this test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    /// A program that stands for an interpreter: it has our package in this version, and tells how it is started.
    fn interpreter(&self, version: &str) -> String {
        self.program(&format!(
            "case \"$1\" in\n\
             -c) printf %s '{version}';;\n\
             *) printf '%s\\n' \"$@\"; id -u; id -g; id -G; ls -l /proc/self/fd | grep -c socket;;\n\
             esac\n"
        ))
    }

    /// Written by another process: a descriptor open for writing in this one could be inherited by the child of
    /// another test, and exec would answer "text file busy".
    fn program(&self, script: &str) -> String {
        let path = self.path("python");
        let mut child = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 755 \"$0\"", &path])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("#!/bin/sh\n{script}");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
        path
    }

    /// A certificate and its key, by openssl: a program that `make peers` brings.
    fn identity(&self, name: &str) -> (String, String) {
        let (certificate, key) = (
            self.path(&format!("{name}.crt")),
            self.path(&format!("{name}.key")),
        );
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args([
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ])
            .output()
            .expect("openssl makes the certificates of these tests");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        (certificate, key)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let output = run(&["--help"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("--https2 addr=ADDRESS,cert=FILE,key=FILE[,spdy=1]"));

    let output = run(&["-V"]);
    assert!(output.status.success());
    assert_eq!(
        output.stdout,
        format!("thalweg {}\n", env!("CARGO_PKG_VERSION")).into_bytes()
    );
}

#[test]
fn a_closed_standard_output_is_no_crash() {
    let mut child = thalweg(&["--help"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().code().is_some(), "killed by a signal");
}

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    for (arguments, line) in [
        (
            &["app:app", "--thread", "8"][..],
            "there is no option --thread; did you mean --threads?",
        ),
        (
            &["app:app", "--queue", "none"],
            "--queue 'none': allowed is a number from 1 to 1000000",
        ),
        (
            &["--https2", "addr=:1,cert=a", "-w", "a"],
            "--https2 'addr=:1,cert=a': allowed is addr=ADDRESS,cert=FILE,key=FILE[,spdy=1]; addr, cert and key are needed",
        ),
        (
            &[],
            "no application is given: thalweg MODULE[:CALLABLE], --module or --wsgi-file; see --help",
        ),
    ] {
        assert_eq!(refusal(&run(arguments), 2), line);
    }
}

#[test]
fn an_address_in_use_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let line = refusal(&run(&["app:app", "--http", &address]), 1);
    assert!(
        line.starts_with(&format!("cannot listen on {address} (--http): ")),
        "{line}"
    );
    assert!(line.contains("in use"), "{line}");
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let folder = Folder::new("no-address");
    let file = folder.file("file", "");
    for (address, reason) in [
        ("host.invalid:0", "resolved"),
        ("192.0.2.1:0", "assign"),
        (&file, "no socket"),
        ("fd://99", "99"),
    ] {
        let line = refusal(&run(&["app:app", "--http", address]), 1);
        assert!(
            line.starts_with(&format!("cannot listen on {address} (--http): ")),
            "{line}"
        );
        assert!(line.contains(reason), "{line}");
    }
}

#[test]
fn a_certificate_or_key_that_cannot_be_used_is_named() {
    let folder = Folder::new("keys");
    let (certificate, key) = folder.identity("a");
    let (_, other_key) = folder.identity("b");
    let text = folder.file("text", "no PEM at all\n");
    let absent = folder.path("absent");
    for (certificate, key, reason) in [
        (&absent, &key, format!("cannot read {absent}")),
        (&certificate, &absent, format!("cannot read {absent}")),
        (&text, &key, format!("{text} holds no certificate")),
        (&certificate, &text, format!("{text} holds no private key")),
        (
            &certificate,
            &other_key,
            format!("the key in {other_key} does not belong to the certificate in {certificate}"),
        ),
    ] {
        let option = format!("addr=127.0.0.1:0,cert={certificate},key={key}");
        let line = refusal(&run(&["--https2", &option, "-w", "app"]), 1);
        assert!(
            line.starts_with("--https2 127.0.0.1:0: ") && line.contains(&reason),
            "{line}"
        );
    }
}

#[test]
fn an_interpreter_that_cannot_serve_is_told_before_it_is_started() {
    let folder = Folder::new("interpreters");
    let refusal_with = |python: &str| {
        refusal(
            &run(&["app:app", "--http", "127.0.0.1:0", "--python", python]),
            1,
        )
    };
    let line = refusal_with(&folder.path("absent"));
    assert!(line.contains("there is no such program"), "{line}");

    let line = refusal_with(&folder.interpreter("0.0.0"));
    assert!(
        line.contains(env!("CARGO_PKG_VERSION")) && line.contains("thalweg 0.0.0"),
        "{line}"
    );

    let without = folder.program(
        "echo Traceback: >&2; echo \"ModuleNotFoundError: No module named 'thalweg'\" >&2; exit 1",
    );
    let line = refusal_with(&without);
    assert!(
        line.contains("(ModuleNotFoundError: No module named 'thalweg')"),
        "{line}"
    );
    assert!(
        line.contains(&format!("{without} -m pip install thalweg")),
        "{line}"
    );

    let line = refusal_with(&folder.program("kill -9 $$"));
    assert!(line.contains("has no usable package thalweg"), "{line}");
}

#[test]
fn the_interpreter_gets_the_same_arguments_and_the_listeners() {
    let folder = Folder::new("handover");
    let python = folder.interpreter(env!("CARGO_PKG_VERSION"));
    let (certificate, key) = folder.identity("a");
    let https2 = format!("addr=127.0.0.1:0,cert={certificate},key={key}");
    let arguments = [
        "app:app",
        "--http",
        "127.0.0.1:0",
        "--https2",
        &https2,
        "--python",
        &python,
    ];
    let output = run(&arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told = String::from_utf8(output.stdout).unwrap();
    let mut lines = told.lines();
    for expected in ["-m", "thalweg"].iter().chain(&arguments) {
        assert_eq!(lines.next(), Some(*expected), "{told}");
    }
    assert_eq!(
        lines.next_back(),
        Some("2"),
        "two listeners are inherited, and no other socket: {told}"
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn privileges_are_gone_before_an_interpreter_runs() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become somebody else");
        return;
    }
    let folder = Folder::new("privileges");
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    // Another user must reach the interpreter, which a target folder in somebody's home forbids.
    let place = std::env::temp_dir().join(format!("thalweg-privileges-{}", std::process::id()));
    fs::create_dir(&place).unwrap();
    let place = Folder(place);
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o755)).unwrap();
    let python = place.interpreter(env!("CARGO_PKG_VERSION"));
    let (certificate, key) = folder.identity("a");
    let https2 = format!("addr==0,cert={certificate},key={key}");
    let output = run(&[
        "app:app",
        "--shared-socket",
        "127.0.0.1:0",
        "--https2",
        &https2,
        "--uid",
        "65534",
        "--gid",
        "65533",
        "--python",
        &python,
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = told.lines().rev().take(4).collect();
    assert_eq!(lines, ["1", "65533", "65533", "65534"], "{told}");
}

#[test]
fn a_user_that_is_not_there_is_named() {
    let line = refusal(
        &run(&[
            "app:app",
            "--http",
            "127.0.0.1:0",
            "--uid",
            "nobody-of-that-name",
        ]),
        1,
    );
    assert!(
        line.starts_with("--uid") && line.contains("nobody-of-that-name"),
        "{line}"
    );
}

#[test]
fn a_forged_handover_is_refused() {
    for value in ["", "x", "-1", "2", "99"] {
        let mut command = thalweg(&["app:app", "--http", "127.0.0.1:0"]);
        let line = refusal(&command.env("THALWEG_HANDOVER", value).output().unwrap(), 1);
        assert!(line.contains("THALWEG_HANDOVER"), "{line}");
    }
}
