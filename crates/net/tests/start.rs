//! What comes before serving: addresses, descriptors and keys that pass through `exec`, another user, signals.
//!
//! What changes a whole process runs in a child: this program again, told by [`ROLE`] which test it is.

mod support;

use rustix::process::geteuid;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::time::Duration;
use support::certificate::{Pem, connect};
use support::{PATIENCE, Server, read_until};
use thalweg_net::handover::{self, Handed, Handover, HandoverError};
use thalweg_net::listen::{Address, ListenError, Listener, SocketAddress};
use thalweg_net::privileges::{PrivilegeError, Target};
use thalweg_net::signals::{Signal, Signals};
use thalweg_net::tls::ServerTls;
use thalweg_net::{Config, Protocol, Security};

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
const ROLE: &str = "THALWEG_TEST_CHILD";

/// This program, to run one test in another role.
fn again(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env_remove(handover::VARIABLE);
    command
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

fn assert_passed(child: &Output) {
    let (out, err) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    assert!(
        child.status.success() && out.contains("1 passed"),
        "{out}\n{err}"
    );
}

fn loopback(port: u16) -> Address {
    Address::Tcp {
        host: "127.0.0.1".into(),
        port,
    }
}

#[test]
fn addresses_that_cannot_be_had_say_why() {
    let first = Listener::bind(&loopback(0)).unwrap();
    let SocketAddress::Ip(taken) = first.local().unwrap() else {
        panic!("an IP address");
    };
    let error = |address| Listener::bind(&address).unwrap_err();
    assert!(matches!(error(loopback(taken.port())), ListenError::InUse));
    let unknown = Address::Tcp {
        host: "no-such-host.invalid".into(),
        port: 0,
    };
    assert!(matches!(error(unknown), ListenError::Resolve(_)));
    assert!(matches!(
        error(Address::Descriptor(987)),
        ListenError::NotListening(987)
    ));
    let file = std::fs::File::open("/dev/null").unwrap();
    let copy = file.as_raw_fd();
    assert!(matches!(
        error(Address::Descriptor(copy)),
        ListenError::NotListening(_)
    ));
    std::mem::forget(file); // It was taken, and closed.
}

#[test]
fn an_empty_host_listens_on_both_families() {
    let listener = Listener::bind(&Address::Tcp {
        host: String::new(),
        port: 0,
    })
    .unwrap();
    let SocketAddress::Ip(local) = listener.local().unwrap() else {
        panic!("an IP address");
    };
    let server = Server::start_on(Config::default(), listener, Security::Plain);
    let mut client = TcpStream::connect(("127.0.0.1", local.port())).unwrap();
    client.write_all(GET).unwrap();
    read_until(&mut client, "hello");
    let peer = server.accepted();
    // An IPv4 client is shown as one, and our end is the address that it came to.
    assert_eq!(
        peer.address.to_string(),
        client.local_addr().unwrap().to_string()
    );
    assert_eq!(
        peer.local.to_string(),
        client.peer_addr().unwrap().to_string()
    );
}

#[test]
fn a_unix_socket_is_served_and_a_stale_one_replaced() {
    use std::os::unix::net::UnixStream;
    let path = std::env::temp_dir().join(format!("thalweg-net-{}.sock", std::process::id()));
    let address = Address::Unix(path.clone());
    drop(Listener::bind(&address).unwrap());
    assert!(path.exists(), "stale");
    let listener = Listener::bind(&address).unwrap();
    assert_eq!(
        listener.local().unwrap(),
        SocketAddress::Unix(Some(path.clone()))
    );
    assert!(matches!(Listener::bind(&address), Err(ListenError::InUse)));

    let (tell, news) = std::sync::mpsc::channel();
    let endpoint = thalweg_net::Endpoint {
        listener,
        security: Security::Plain,
    };
    let mut running = thalweg_net::serve(Config::default(), vec![endpoint], move |worker| {
        support::Answers::new(worker, tell.clone())
    })
    .unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(GET).unwrap();
    read_until(&mut client, "hello");
    let support::News::Accepted(peer) = news.recv_timeout(PATIENCE).unwrap() else {
        panic!("a connection");
    };
    assert_eq!(peer.address, SocketAddress::Unix(None));
    running.stop();
    running.wait().unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "no socket").unwrap();
    assert!(matches!(
        Listener::bind(&address),
        Err(ListenError::NotASocket)
    ));
    std::fs::remove_file(&path).unwrap();
}

/// Listeners and keys arrive in the program that takes this one's place, and clients that connected before it
/// began are served by it.
#[test]
fn a_handover_passes_through_exec() {
    match role().as_deref() {
        None => {
            let pem = Pem::make();
            let mut child = {
                let plain = Listener::bind(&loopback(0)).unwrap();
                let tls = Listener::bind(&loopback(0)).unwrap();
                let port = |listener: &Listener| match listener.local().unwrap() {
                    SocketAddress::Ip(local) => local,
                    SocketAddress::Unix(_) => panic!("an IP address"),
                };
                let (plain_at, tls_at) = (port(&plain), port(&tls));
                let handover = Handover {
                    program: "9.9.9".into(),
                    listeners: vec![
                        Handed {
                            listener: plain,
                            identity: None,
                        },
                        Handed {
                            listener: tls,
                            identity: Some(pem.identity()),
                        },
                    ],
                };
                let file = handover.put().unwrap();
                let child = again("a_handover_passes_through_exec", "taker")
                    .env(handover::VARIABLE, file.as_raw_fd().to_string())
                    .stdin(std::process::Stdio::piped())
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .unwrap();
                drop((file, handover));
                let mut client = TcpStream::connect(plain_at).unwrap();
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                client.write_all(GET).unwrap();
                read_until(&mut client, "hello");
                let config = pem.client(&[&rustls::version::TLS13], &[b"http/1.1"]);
                let mut client = connect(&config, TcpStream::connect(tls_at).unwrap());
                client.write_all(GET).unwrap();
                read_until(&mut client, "hello");
                child
            };
            drop(child.stdin.take()); // The taker may go.
            assert_passed(&child.wait_with_output().unwrap());
        }
        Some(_) => {
            let taken = handover::take().unwrap().expect("the variable is set");
            assert_eq!(taken.program, "9.9.9");
            let mut servers = Vec::new();
            for Handed { listener, identity } in taken.listeners {
                let security = match identity {
                    None => Security::Plain,
                    Some(identity) => {
                        assert_eq!(identity.key_name().to_str(), Some("test.key"));
                        Security::Tls(ServerTls::new(&identity, &[Protocol::Http1]).unwrap())
                    }
                };
                servers.push(Server::start_on(Config::default(), listener, security));
            }
            assert!(handover::take().is_err(), "it can be taken once");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
    }
}

#[test]
fn a_handover_that_is_none_is_a_clear_error() {
    const TEST: &str = "a_handover_that_is_none_is_a_clear_error";
    match role().as_deref() {
        None => {
            for (value, role) in [
                ("", "missing"),
                ("nonsense", "missing"),
                ("1", "unsealed"),
                ("777", "missing"),
            ] {
                let child = again(TEST, role)
                    .env(handover::VARIABLE, value)
                    .output()
                    .unwrap();
                assert_passed(&child);
            }
            // An open descriptor of another kind.
            let file = std::fs::File::open("/dev/null").unwrap();
            rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
            let number = file.as_raw_fd().to_string();
            let child = again(TEST, "unsealed")
                .env(handover::VARIABLE, number)
                .output()
                .unwrap();
            assert_passed(&child);
            // A sealed file of another form.
            let flags = rustix::fs::MemfdFlags::ALLOW_SEALING;
            let file = rustix::fs::memfd_create("other", flags).unwrap();
            rustix::io::write(&file, b"thalweg handover 2\n").unwrap();
            use rustix::fs::SealFlags as Seal;
            let seals = Seal::SHRINK | Seal::GROW | Seal::WRITE | Seal::SEAL;
            rustix::fs::fcntl_add_seals(&file, seals).unwrap();
            let number = file.as_raw_fd().to_string();
            let child = again(TEST, "other form")
                .env(handover::VARIABLE, number)
                .output()
                .unwrap();
            assert_passed(&child);
            let child = again(TEST, "none").output().unwrap();
            assert_passed(&child);
        }
        Some("missing") => assert!(matches!(
            handover::take(),
            Err(HandoverError::NoDescriptor(_))
        )),
        Some("unsealed") => assert!(matches!(handover::take(), Err(HandoverError::NotSealed(_)))),
        Some("other form") => assert!(matches!(handover::take(), Err(HandoverError::OtherForm))),
        Some(_) => assert!(handover::take().unwrap().is_none()),
    }
}

#[test]
fn names_that_nobody_has_are_told() {
    let error = Target::resolve(Some("nobody-has-this-name"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no user \"nobody-has-this-name\" on this machine"
    );
    let error = Target::resolve(None, Some("nor-this")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no group \"nor-this\" on this machine"
    );
    assert!(matches!(
        Target::resolve(Some("54321"), None),
        Err(PrivilegeError::NoEntry(54321))
    ));
    let by_number = Target::resolve(Some("54321"), Some("54322")).unwrap();
    assert_eq!(
        (by_number.uid, by_number.gid, by_number.groups),
        (54321, 54322, vec![54322])
    );
}

/// Root becomes nobody: for good, without groups or capabilities of its own, in every thread.
#[test]
fn privileges_are_dropped_for_good() {
    const TEST: &str = "privileges_are_dropped_for_good";
    match role().as_deref() {
        None if geteuid().is_root() => assert_passed(&again(TEST, "root").output().unwrap()),
        None => skipped("only root can drop privileges"),
        Some("root") => {
            let target = Target::resolve(Some("nobody"), None).unwrap();
            assert_ne!(target.uid, 0);
            target.take_on().unwrap();
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name)).unwrap();
                line.split_whitespace()
                    .skip(1)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let four = |id: u32| [id; 4].map(|id| id.to_string()).join(" ");
            assert_eq!(line("Uid:"), four(target.uid));
            assert_eq!(line("Gid:"), four(target.gid));
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(line(set), "0000000000000000", "{set}");
            }
            assert!(Listener::bind(&loopback(81)).is_err() || unprivileged_ports());
            assert!(
                Target::resolve(Some("root"), None)
                    .unwrap()
                    .take_on()
                    .is_err()
            );
            // What the process is already is no change.
            target.take_on().unwrap();
        }
        Some(_) => unreachable!(),
    }
}

/// Some machines let anybody have every port.
fn unprivileged_ports() -> bool {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    first.trim().parse::<u16>().unwrap() <= 81
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// An interpreter installs handlers of its own while it imports an application.
#[test]
fn signals_arrive_and_are_asserted_again() {
    match role().as_deref() {
        None => assert_passed(
            &again("signals_arrive_and_are_asserted_again", "child")
                .output()
                .unwrap(),
        ),
        Some(_) => {
            let signals = Signals::take(&[Signal::Terminate, Signal::Interrupt]).unwrap();
            let _server = Server::plain(); // Its threads must not take them.
            let send =
                |signal| rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
            assert_eq!(signals.wait(Some(Duration::ZERO)).unwrap(), None);
            send(rustix::process::Signal::TERM);
            assert_eq!(
                signals.wait(Some(PATIENCE)).unwrap(),
                Some(Signal::Terminate)
            );
            send(rustix::process::Signal::INT);
            assert_eq!(
                signals.wait(Some(PATIENCE)).unwrap(),
                Some(Signal::Interrupt)
            );
            assert_eq!(signals.reassert().unwrap(), []);

            // SAFETY: ignoring a signal runs nothing.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            send(rustix::process::Signal::TERM);
            assert_eq!(signals.next().unwrap(), None);
            assert_eq!(signals.reassert().unwrap(), [Signal::Terminate]);
            send(rustix::process::Signal::TERM);
            assert_eq!(
                signals.wait(Some(PATIENCE)).unwrap(),
                Some(Signal::Terminate)
            );
        }
    }
}

/// The thread that would read the first one may hang in something, for ever.
#[test]
fn the_second_signal_ends_a_process_that_reads_none() {
    const TEST: &str = "the_second_signal_ends_a_process_that_reads_none";
    match role().as_deref() {
        None => assert_eq!(again(TEST, "child").status().unwrap().code(), Some(7)),
        Some(_) => {
            use rustix::process::Signal as Sent;
            let taken = [Signal::Terminate, Signal::Interrupt, Signal::HangUp];
            let signals = Signals::take(&taken).unwrap();
            signals.end_at_second(7).unwrap();
            for sent in [Sent::HUP, Sent::HUP, Sent::TERM, Sent::INT] {
                rustix::process::kill_process(rustix::process::getpid(), sent).unwrap();
            }
            std::thread::sleep(PATIENCE);
        }
    }
}

/// `exec` replaces this process, as the command does it, and the handover still arrives.
#[test]
fn exec_in_place_keeps_the_handover() {
    const TEST: &str = "exec_in_place_keeps_the_handover";
    match role().as_deref() {
        None => assert_passed(&again(TEST, "giver").output().unwrap()),
        Some("giver") => {
            let listener = Listener::bind(&loopback(0)).unwrap();
            let handover = Handover {
                program: String::new(),
                listeners: vec![Handed {
                    listener,
                    identity: None,
                }],
            };
            let file = handover.put().unwrap();
            let error = again(TEST, "taker")
                .env(handover::VARIABLE, file.as_raw_fd().to_string())
                .exec();
            panic!("{error}");
        }
        Some(_) => assert_eq!(handover::take().unwrap().unwrap().listeners.len(), 1),
    }
}
