//! A worker's thread: mail from other threads, bells, and the hook before it parks.

mod support;

use rustix::process::{Resource, getrlimit, setrlimit};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use support::{Answers, PATIENCE, Server, read_until};
use thalweg_net::listen::{Address, Listener};
use thalweg_net::worker::Post;
use thalweg_net::{Config, Endpoint, Security, serve};

#[test]
fn no_message_is_lost_however_the_worker_sleeps() {
    const SENDERS: usize = 4;
    const MESSAGES: usize = 20_000;
    let listener = Listener::bind(&Address::Tcp {
        host: "127.0.0.1".into(),
        port: 0,
    })
    .unwrap();
    let endpoint = Endpoint {
        listener,
        security: Security::Plain,
    };
    let (give, posts) = mpsc::channel::<Post<usize>>();
    let (tell, told) = mpsc::channel();
    let flushes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&flushes);
    let mut running = serve(Config::default(), vec![endpoint], move |worker| {
        let seen = Rc::new(Cell::new(0));
        let tell = tell.clone();
        let post = worker.mailbox({
            let seen = Rc::clone(&seen);
            move |_: usize| seen.set(seen.get() + 1)
        });
        give.send(post).unwrap();
        let counted = Arc::clone(&counted);
        worker.before_park(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            if seen.get() == SENDERS * MESSAGES {
                seen.set(0);
                tell.send(()).unwrap();
            }
        });
        let (news, _) = mpsc::channel();
        Answers::new(worker, news)
    })
    .unwrap();
    let post = posts.recv_timeout(PATIENCE).unwrap();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let post = post.clone();
            std::thread::spawn(move || {
                for number in 0..MESSAGES {
                    post.send(number);
                    if number % (97 + sender) == 0 {
                        std::thread::yield_now(); // So that the worker falls asleep now and then.
                    }
                }
            })
        })
        .collect();
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
    // The hook runs after the mail and before the worker parks: it sees all, and nothing sleeps on.
    told.recv_timeout(PATIENCE).expect("every message arrives");
    assert!(
        flushes.load(Ordering::Relaxed) < SENDERS * MESSAGES,
        "messages are delivered together"
    );
    running.stop();
    running.wait().unwrap();
}

#[test]
fn a_worker_that_is_never_idle_looks_at_its_mail() {
    let server = Server::plain();
    // Large answers keep the worker busy, while late ones come by mail.
    let mut busy: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut busy {
        client
            .write_all(b"GET /large/200000000 HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
    }
    let readers: Vec<_> = busy
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                read_until(&mut client, "\r\n\r\n");
                let mut body = client.take(200_000_000);
                std::io::copy(&mut body, &mut std::io::sink()).unwrap()
            })
        })
        .collect();
    let mut client = server.connect();
    for _ in 0..20 {
        client
            .write_all(b"GET /late HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
        read_until(&mut client, "late");
    }
    for reader in readers {
        assert_eq!(reader.join().unwrap(), 200_000_000);
    }
}

#[test]
fn a_service_that_panics_is_told_of_the_end_and_loses_no_other_connection() {
    let server = Server::plain();
    let mut good = server.connect();
    good.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    read_until(&mut good, "hello");
    // The service of these tests has no such path, and unwraps.
    let mut bad = server.connect();
    bad.write_all(b"GET /unknown HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    assert_eq!(bad.read(&mut [0]).unwrap_or_default(), 0);
    assert_eq!(server.ended(), "the service panicked");
    good.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    read_until(&mut good, "hello");
}

/// The kernel's queue keeps clients until there are descriptors again; nothing spins meanwhile.
#[test]
#[allow(clippy::print_stdout)] // The child tells its port so.
fn a_process_without_descriptors_lets_clients_wait() {
    const ROLE: &str = "THALWEG_TEST_CHILD";
    const TEST: &str = "a_process_without_descriptors_lets_clients_wait";
    if std::env::var_os(ROLE).is_some() {
        let server = Server::plain();
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(open + 8);
        setrlimit(Resource::Nofile, limit).unwrap();
        println!("\nport {}", server.address.port());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        let busy = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        println!("\ncpu {}", busy.tv_sec);
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture"])
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut tell = |what: &str| -> u64 {
        let line = told.find_map(|line| line.unwrap().strip_prefix(what).map(str::to_owned));
        line.expect("the child tells").trim().parse().unwrap()
    };
    let port = u16::try_from(tell("port ")).unwrap();
    let mut clients: Vec<_> = (0..30)
        .map(|_| {
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client
                .write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n")
                .unwrap();
            client
        })
        .collect();
    let last = clients.last_mut().unwrap();
    last.set_read_timeout(Some(Duration::from_millis(1500)))
        .unwrap();
    assert!(
        last.read(&mut [0]).is_err(),
        "there are fewer descriptors than clients"
    );
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    for mut client in clients {
        read_until(&mut client, "hello");
    }
    drop(child.stdin.take());
    assert_eq!(tell("cpu "), 0, "a second and more of work is a busy loop");
    assert!(child.wait().unwrap().success());
}
