//! Real programs as peers: whether they are there, started on a port of their own, and ended with their test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a peer may take to listen, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether a program is installed. CI must have it; elsewhere its test says that it is skipped.
///
/// # Panics
/// Where it is missing though the environment has `CI`.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "{program} is missing"
    );
    if !found {
        eprintln!("SKIPPED: {program} is not installed (make peers brings it)");
    }
    found
}

/// A server that is somebody else's, on a port of the loopback address; killed when dropped.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    address: SocketAddr,
}

impl Peer {
    /// Starts a program with the arguments for a port, and waits until it listens there. What it says goes nowhere.
    ///
    /// # Panics
    /// When it does not start, or does not listen in time.
    pub fn start(program: &str, arguments: impl FnOnce(&mut Command, u16)) -> Self {
        // Free a moment ago: it cannot be asked which one it took.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let mut command = Command::new(program);
        arguments(&mut command, address.port());
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let peer = Self { process, address };
        let until = Instant::now() + PATIENCE;
        while let Err(error) = TcpStream::connect(address) {
            assert!(Instant::now() < until, "{program} is not there: {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
        peer
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection to it. A read that takes too long fails.
    ///
    /// # Panics
    /// When it has gone.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out above zero");
        stream
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder of a test's own, removed with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder that no other test has, if none has this name.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("thalweg-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file that can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
