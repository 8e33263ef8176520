//! A worker: one thread with its own runtime, on which its connections live and die.
//!
//! ```text
//!   ┌────────────────── until nothing is ready ──────────────────┐
//!   │ connections' tasks: read, step, write                      │
//!   └──────┬─────────────────────────────────────────────────────┘
//!          ▼ before it parks, or every 64 steps when it never does
//!   mail is delivered ─► hooks run (flush a batch) ─► rung bells wake their connections ─┐
//!          ▲                                                                            │
//!          └── any? run them: one write for all that came meanwhile ◄───────────────────┘
//!   none: asleep, until the kernel, a timer or a Post has something
//! ```

pub(crate) mod accept;
pub(crate) mod buffer;
mod mailbox;
pub(crate) mod run;
pub(crate) mod seats;
mod timers;

pub use mailbox::Post;
pub(crate) use timers::{Armed, after};

use crate::serve::Config;
use buffer::Buffer;
use mailbox::{Alarm, Mailbox};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;
use thalweg_proto::session::Gather;
use timers::Timers;

/// After this many steps of connections the worker tends to mail and bells, even if it is never idle.
const STEPS: u32 = 64;
/// What is read from a socket at once, at most.
pub(crate) const READ: usize = 64 << 10;
/// What is written to a socket at once, about.
pub(crate) const WRITE: usize = 256 << 10;

/// A worker, as the one who makes its service sees it.
pub struct Worker {
    shared: Rc<Shared>,
}

impl Worker {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self { shared }
    }

    /// Which one it is, from 0.
    pub fn index(&self) -> usize {
        self.shared.index
    }

    /// A box for messages of one kind. All that have come are handed to `deliver`, one after another, on the
    /// worker's thread, when its run queue has drained or at every 64th step of a connection. The sender wakes
    /// the worker only if it sleeps.
    ///
    /// `deliver` may call [`Wake::wake`](crate::Wake::wake); it must not block.
    pub fn mailbox<T: Send + 'static>(&self, mut deliver: impl FnMut(T) + 'static) -> Post<T> {
        let (mut mailbox, post) = Mailbox::new(&self.shared.alarm);
        self.shared
            .boxes
            .borrow_mut()
            .push(Box::new(move || mailbox.deliver(&mut deliver)));
        post
    }

    /// Calls `hook` each time before the worker parks, and at every 64th step of a connection: the place to
    /// flush what was gathered meanwhile. It must be cheap when there is nothing to do, and must not block.
    pub fn before_park(&self, hook: impl FnMut() + 'static) {
        self.shared.hooks.borrow_mut().push(Box::new(hook));
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index())
            .finish_non_exhaustive()
    }
}

/// What a worker's parts share.
pub(crate) struct Shared {
    pub(crate) index: usize,
    pub(crate) config: Arc<Config>,
    pub(crate) load: Load,
    /// Borrowed by one connection for one step.
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) bells: RefCell<Slab<Rc<Bell>>>,
    pub(crate) phase: Cell<Phase>,
    alarm: Arc<Alarm>,
    rung: Rung,
    boxes: RefCell<Vec<Box<dyn FnMut()>>>,
    hooks: RefCell<Vec<Box<dyn FnMut()>>>,
    steps: Cell<u32>,
    main: RefCell<Option<Waker>>,
    /// What the runtime's timer is set to.
    sleeping_until: Cell<Option<Instant>>,
}

/// Bells that were rung and whose connections were not woken yet.
type Rung = Rc<RefCell<Vec<Rc<Bell>>>>;

/// How far a worker's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Connections finish what is open; what is not over then is dropped.
    Draining {
        until: Instant,
    },
    Stopped,
}

impl Phase {
    /// Whether what is still open is dropped now.
    pub(crate) fn is_over(self, now: Instant) -> bool {
        match self {
            Phase::Running => false,
            Phase::Draining { until } => now >= until,
            Phase::Stopped => true,
        }
    }
}

impl Shared {
    pub(crate) fn new(index: usize, config: Arc<Config>, load: Load) -> Rc<Self> {
        Rc::new(Self {
            index,
            config,
            load,
            scratch: RefCell::new(Scratch::new()),
            timers: RefCell::new(Timers::new(Instant::now())),
            bells: RefCell::default(),
            phase: Cell::new(Phase::Running),
            alarm: Arc::default(),
            rung: Rc::default(),
            boxes: RefCell::default(),
            hooks: RefCell::default(),
            steps: Cell::new(0),
            main: RefCell::default(),
            sleeping_until: Cell::new(None),
        })
    }

    /// Hangs up a bell for a new connection.
    pub(crate) fn hang_bell(&self) -> (usize, Rc<Bell>) {
        let bell = Rc::new(Bell {
            rung: Cell::new(false),
            waker: RefCell::new(None),
            line: Rc::clone(&self.rung),
        });
        let key = self.bells.borrow_mut().insert(Rc::clone(&bell));
        (key, bell)
    }

    /// A connection is over.
    pub(crate) fn take_bell(&self, key: usize) {
        let bell = self.bells.borrow_mut().remove(key);
        bell.waker.take();
        self.load.less(self.index);
        if self.bells.borrow().is_empty() && self.phase.get() != Phase::Running {
            self.wake_main();
        }
    }

    /// Enters another phase; every connection looks.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        for (_, bell) in self.bells.borrow().iter() {
            bell.stir();
        }
        self.wake_main();
    }

    /// A connection has made a step. Called while nothing is borrowed.
    pub(crate) fn stepped(&self) {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        if steps >= STEPS {
            self.tend();
        }
    }

    /// Delivers mail, runs the hooks, wakes the connections whose bells were rung. True: there were any.
    fn tend(&self) -> bool {
        self.steps.set(0);
        if self.alarm.take_mail() {
            for deliver in self.boxes.borrow_mut().iter_mut() {
                deliver();
            }
        }
        for hook in self.hooks.borrow_mut().iter_mut() {
            hook();
        }
        let mut any = false;
        // A bell may be rung again by what its waker runs: never with the list borrowed.
        while let Some(bell) = self.rung.borrow_mut().pop() {
            bell.stir();
            any = true;
        }
        any
    }

    /// The runtime has nothing to run. Whatever this wakes is run instead of parking.
    fn before_park(&self) {
        let mut awake = self.tend();
        while !awake && !self.alarm.fall_asleep() {
            awake = self.tend();
        }
        if self.timers.borrow().next() < self.sleeping_until.get() || self.timer_missing() {
            self.wake_main();
        }
    }

    fn timer_missing(&self) -> bool {
        self.sleeping_until.get().is_none() && self.timers.borrow().next().is_some()
    }

    fn wake_main(&self) {
        if let Some(main) = &*self.main.borrow() {
            main.wake_by_ref();
        }
    }
}

/// How a connection is woken by what is not its socket.
pub(crate) struct Bell {
    rung: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    line: Rung,
}

impl Bell {
    /// Marks the connection; it is woken when the run queue has drained.
    pub(crate) fn ring(self: &Rc<Self>) {
        if self.waker.borrow().is_some() && !self.rung.replace(true) {
            self.line.borrow_mut().push(Rc::clone(self));
        }
    }

    /// Whether it was rung since the last time.
    pub(crate) fn answer(&self) -> bool {
        self.rung.replace(false)
    }

    /// Wakes the connection at once, without a mark: it looks at the time and the phase.
    fn stir(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// What wakes the connection's task.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut own = self.waker.borrow_mut();
        match &mut *own {
            Some(own) => own.clone_from(waker),
            None => *own = Some(waker.clone()),
        }
    }
}

/// The buffers that a connection borrows for one step. An idle connection has none.
pub(crate) struct Scratch {
    /// Ciphertext from the socket, over TLS.
    pub(crate) sealed: Buffer,
    /// Plaintext for the session.
    pub(crate) plain: Buffer,
    /// What the session sends. Over TLS in one run.
    pub(crate) gather: Gather,
    pub(crate) gather_sealed: Gather,
    /// Ciphertext for the socket, over TLS.
    pub(crate) outgoing: Buffer,
}

impl Scratch {
    fn new() -> Self {
        Self {
            sealed: Buffer::default(),
            plain: Buffer::with_room(READ),
            gather: Gather::new(WRITE),
            gather_sealed: Gather::contiguous(WRITE),
            outgoing: Buffer::default(),
        }
    }
}

/// How many connections each worker has, for those who hand out new ones.
#[derive(Clone)]
pub(crate) struct Load(Arc<[AtomicUsize]>);

impl Load {
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| AtomicUsize::new(0)).collect())
    }

    /// The worker with the fewest connections; counts one more for it.
    pub(crate) fn assign(&self) -> usize {
        let least = (0..self.0.len())
            .min_by_key(|&index| self.0[index].load(Ordering::Relaxed))
            .unwrap_or_default();
        self.0[least].fetch_add(1, Ordering::Relaxed);
        least
    }

    pub(crate) fn less(&self, index: usize) {
        self.0[index].fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, index: usize) -> usize {
        self.0[index].load(Ordering::Relaxed)
    }

    pub(crate) fn total(&self) -> usize {
        self.0.iter().map(|load| load.load(Ordering::Relaxed)).sum()
    }
}
