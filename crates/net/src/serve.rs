//! Serving: from endpoints to running workers, and back to silence.
//!
//! ```text
//!  serve ─► Running ── drain(grace) ─► no new connections; open requests finish ─► wait() returns
//!              └────── stop() ───────► everything is dropped ─────────────────────►
//! ```

use crate::listen::Listener;
use crate::service::Service;
use crate::tls::ServerTls;
use crate::worker::run::{self, Order, Plan, Posts};
use crate::worker::{Load, Post, Worker};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use thalweg_proto::limits::Limits;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads that serve, each with its own connections. Default 1; 0 is taken as 1.
    pub workers: usize,
    /// The bounds of every connection's session.
    pub limits: Arc<Limits>,
    /// Whether a plain connection of HTTP/1.1 goes on in HTTP/2 where its first request offers that with
    /// `Upgrade: h2c` (RFC 7540, section 3.2). Default: yes, as clients that offer it expect.
    pub h2c_upgrade: bool,
    /// Connections at once; more wait in the kernel's queue. Default: no bound but the process' descriptors.
    pub connections: usize,
    /// Connections at once of one address, or of a /64 of IPv6; more are closed. Default: no bound.
    pub connections_per_address: usize,
    /// From the acceptance of a connection to the end of its TLS handshake. Default 10 s.
    pub handshake_time: Duration,
    /// How long a client may leave what it was sent unread, before the connection is reset. Default 60 s.
    pub write_time: Duration,
    /// How long a connection that we have ended goes on reading, so that the client gets our last words. Default 2 s.
    pub linger_time: Duration,
    /// How many octets are read then, at most. Default 256 KiB.
    pub linger_octets: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 1,
            limits: Arc::default(),
            h2c_upgrade: true,
            connections: usize::MAX,
            connections_per_address: usize::MAX,
            handshake_time: Duration::from_secs(10),
            write_time: Duration::from_secs(60),
            linger_time: Duration::from_secs(2),
            linger_octets: 256 << 10,
        }
    }
}

/// A listener, and what is spoken on it.
#[derive(Debug)]
pub struct Endpoint {
    /// Where connections come from.
    pub listener: Listener,
    /// Whether they come over TLS.
    pub security: Security,
}

/// Whether connections come over TLS.
#[derive(Clone, Debug)]
pub enum Security {
    /// No TLS: HTTP/1.x, or HTTP/2 when the client begins with its preface (RFC 9113, section 3.3) or
    /// [offers to change](Config::h2c_upgrade) to it.
    Plain,
    /// TLS, and the protocol that its ALPN names.
    Tls(ServerTls),
}

/// Serves the endpoints: starts the workers, each with its own service made by `make` on its thread, and returns.
///
/// Privileges must have been dropped before. The threads leave signals to the caller's.
///
/// # Errors
/// When a thread, or its runtime, cannot be made; nothing runs then, and the listeners are closed.
pub fn serve<S: Service>(
    config: Config,
    endpoints: Vec<Endpoint>,
    make: impl Fn(&Worker) -> S + Send + Sync + 'static,
) -> io::Result<Running> {
    let workers = config.workers.max(1);
    let (config, make) = (Arc::new(config), Arc::new(make));
    let (load, posts) = (Load::new(workers), Posts::default());
    let ends = Arc::new(Ends::new(workers)?);
    let mut endpoints = Some(endpoints);
    let mut starting = Vec::with_capacity(workers);
    for index in 0..workers {
        let plan = Plan {
            index,
            config: Arc::clone(&config),
            load: load.clone(),
            posts: Arc::clone(&posts),
            endpoints: endpoints.take().unwrap_or_default(),
        };
        starting.push(Starting::spawn(plan, Arc::clone(&make), Arc::clone(&ends))?);
    }
    let all: Vec<Post<Order>> = starting
        .iter()
        .map(Starting::post)
        .collect::<io::Result<_>>()?;
    posts.get_or_init(|| all.clone());
    let threads = starting.into_iter().map(Starting::go).collect();
    Ok(Running {
        first: all.into_iter().next(),
        threads,
        ends,
    })
}

/// Workers at work. Dropping it leaves them at work, with nobody to stop them.
#[derive(Debug)]
pub struct Running {
    /// The worker that accepts, and tells the others.
    first: Option<Post<Order>>,
    threads: Vec<JoinHandle<()>>,
    ends: Arc<Ends>,
}

/// A worker's thread panicked: a fault of this program, told on stderr. Its connections are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker thread panicked")]
pub struct WorkerPanicked;

impl Running {
    /// Begins to end in order: no new connections; every open one is told (GOAWAY, `Connection: close`) and
    /// finishes its requests; those that are not done after `grace` are reset.
    pub fn drain(&self, grace: Duration) {
        self.order(Order::Drain(grace));
    }

    /// Ends at once: connections get their last words, open requests are lost.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// Waits until every worker has ended, after [`Running::drain`] or [`Running::stop`].
    ///
    /// # Errors
    /// [`WorkerPanicked`], as soon as one has: the others may still run.
    pub fn wait(&mut self) -> Result<(), WorkerPanicked> {
        self.ends.wait();
        if self.ends.any_panicked() {
            return Err(WorkerPanicked);
        }
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| WorkerPanicked)?;
        }
        Ok(())
    }

    fn order(&self, order: Order) {
        if let Some(first) = &self.first {
            first.send(order);
        }
    }
}

/// Readable once every worker has ended, or one has panicked: for a caller that polls it together with signals.
impl AsFd for Running {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.event.as_fd()
    }
}

/// A worker's thread that waits for all the others to be made.
struct Starting {
    thread: JoinHandle<()>,
    told: mpsc::Receiver<io::Result<Post<Order>>>,
    go: mpsc::Sender<()>,
}

impl Starting {
    fn spawn<S: Service>(
        plan: Plan,
        make: Arc<impl Fn(&Worker) -> S + Send + Sync + 'static>,
        ends: Arc<Ends>,
    ) -> io::Result<Self> {
        let ((tell, told), (go, gone)) = (mpsc::channel(), mpsc::channel());
        let name = format!("thalweg-{}", plan.index);
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _leaving = Leaving(ends);
            // Whether `serve` still listens does not matter: when it does not, it has failed and told its caller.
            match leave_signals() {
                Ok(()) => run::run(plan, &*make, |post| {
                    tell.send(post).is_ok() && gone.recv().is_ok()
                }),
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        Ok(Self { thread, told, go })
    }

    fn post(&self) -> io::Result<Post<Order>> {
        self.told.recv().map_err(io::Error::other)?
    }

    fn go(self) -> JoinHandle<()> {
        // A thread that has gone meanwhile is found by `Running::wait`.
        let _ = self.go.send(());
        self.thread
    }
}

/// How many workers have ended.
#[derive(Debug)]
struct Ends {
    left: AtomicUsize,
    panicked: AtomicBool,
    event: OwnedFd,
}

impl Ends {
    fn new(workers: usize) -> io::Result<Self> {
        Ok(Self {
            left: AtomicUsize::new(workers),
            panicked: AtomicBool::new(false),
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    fn any_panicked(&self) -> bool {
        self.panicked.load(Ordering::SeqCst)
    }

    fn wait(&self) {
        let mut event = [PollFd::new(&self.event, PollFlags::IN)];
        // The only errors of such a poll are interruptions and lack of memory: either way, look again.
        while !matches!(poll(&mut event, None), Ok(1..)) {}
    }
}

/// Counts a worker's end, whichever way its thread leaves.
struct Leaving(Arc<Ends>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let panicked = thread::panicking();
        if panicked {
            self.0.panicked.store(true, Ordering::SeqCst);
        }
        let last = self.0.left.fetch_sub(1, Ordering::SeqCst) == 1;
        if (last || panicked) && rustix::io::write(&self.0.event, &1u64.to_ne_bytes()).is_err() {
            tracing::error!("the end of a worker could not be told");
        }
    }
}

/// Blocks every signal on this thread except those that a fault of its own raises, so that the caller's threads
/// get them.
fn leave_signals() -> io::Result<()> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set that the other calls read; all are given valid pointers.
    let answer = unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for fault in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGTRAP,
        ] {
            libc::sigdelset(set.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut())
    };
    match answer {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
