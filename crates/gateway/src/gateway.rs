//! One worker's gateway: what all of its connections have in common.

use crate::access_log::{AccessLog, Lines};
use crate::conduit::Attend;
use crate::connections::Connections;
use crate::date::Calendar;
use crate::front::Front;
use crate::ledger::{Ledger, Pages};
use crate::log;
use crate::memory::{Account, Memory};
use crate::request_id::RequestIds;
use crate::router::Router;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use thalweg_net::worker::{Post, Worker};
use thalweg_net::{Peer, Service, Wake};
use thalweg_proto::session::StreamId;

/// How a gateway behaves.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where a line for each exchange goes. Default: nowhere.
    pub access_log: Option<AccessLog>,
    /// What all requests may hold together.
    pub memory: Memory,
}

/// Turns the connections of a worker into exchanges for its handlers.
///
/// ```no_run
/// use std::sync::Arc;
/// use thalweg_gateway::application::{ApplicationHandler, Queue};
/// use thalweg_gateway::{Config, Gateway, Router};
///
/// let queue = Queue::new(1024);
/// let config = Config::default();
/// // For `thalweg_net::serve`, which calls it on each worker.
/// let make = move |worker: &thalweg_net::worker::Worker| {
///     let router = Router::to(ApplicationHandler::new(Arc::clone(&queue)));
///     Gateway::new(&config, router, worker)
/// };
/// ```
pub struct Gateway {
    desk: Rc<Desk>,
    post: Post<Attend>,
}

/// What the connections of a worker share.
pub(crate) struct Desk {
    pub(crate) router: Router,
    pub(crate) ids: RequestIds,
    pub(crate) calendar: RefCell<Calendar>,
    pub(crate) lines: Option<RefCell<Lines>>,
    pub(crate) connections: RefCell<Connections<Rc<Ledger>>>,
    pub(crate) memory: Account,
    /// For ledgers whose first stream begins.
    pub(crate) pages: RefCell<Vec<Pages>>,
    /// The streams that a connection attends to in its turn.
    pub(crate) turn: RefCell<Vec<StreamId>>,
}

impl Gateway {
    /// The gateway of this worker.
    pub fn new(config: &Config, router: Router, worker: &Worker) -> Self {
        log::begin_worker();
        let desk = Rc::new(Desk {
            router,
            ids: RequestIds::new(),
            calendar: RefCell::new(Calendar::new()),
            lines: config
                .access_log
                .clone()
                .map(|log| RefCell::new(Lines::new(log))),
            connections: RefCell::new(Connections::new()),
            pages: RefCell::default(),
            turn: RefCell::default(),
            memory: Account::new(config.memory.clone()),
        });
        let post = worker.mailbox({
            let desk = Rc::clone(&desk);
            move |message| desk.deliver(message)
        });
        worker.before_park({
            let desk = Rc::clone(&desk);
            move || desk.before_park()
        });
        Self { desk, post }
    }
}

impl Service for Gateway {
    type Connection = Front;

    fn accept(&self, peer: Arc<Peer>, wake: Wake) -> Front {
        Front::new(Rc::clone(&self.desk), peer, self.post.clone(), wake)
    }
}

impl Desk {
    /// Hands a message from another thread to its connection; one that has ended needs it no more.
    fn deliver(&self, message: Attend) {
        if let Some(ledger) = self.connections.borrow().find(message.connection) {
            ledger.push(message.stream);
        }
    }

    fn before_park(&self) {
        self.router.before_park();
        self.calendar.borrow_mut().turn();
        if let Some(lines) = &self.lines {
            lines.borrow_mut().flush();
        }
    }
}
