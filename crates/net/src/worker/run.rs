//! A worker's thread, from its runtime to its last connection.

use super::accept::{Acceptor, Arrival};
use super::mailbox::Post;
use super::seats::Seats;
use super::{Load, Phase, Shared, Worker, after};
use crate::driver::Driver;
use crate::serve::{Config, Endpoint};
use crate::service::Service;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::AbortHandle;
use tokio::time::Sleep;

thread_local! {
    /// The worker of this thread, for the runtime's hooks.
    static HERE: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
}

/// What a worker is told by the server and by the other workers.
pub(crate) enum Order {
    Serve(Arrival),
    Drain(Duration),
    Stop,
}

/// Every worker's post, by index; full before any worker runs.
pub(crate) type Posts = Arc<OnceLock<Vec<Post<Order>>>>;

/// What a worker is made of.
pub(crate) struct Plan {
    pub(crate) index: usize,
    pub(crate) config: Arc<Config>,
    pub(crate) load: Load,
    pub(crate) posts: Posts,
    /// Those that it accepts from.
    pub(crate) endpoints: Vec<Endpoint>,
}

/// Makes the worker, tells its post, waits for `go` (false: some other worker could not be made), then runs until
/// it is drained or stopped.
pub(crate) fn run<S: Service>(
    plan: Plan,
    make: &dyn Fn(&Worker) -> S,
    ready: impl FnOnce(io::Result<Post<Order>>) -> bool,
) {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(|| {
            HERE.with_borrow(|here| here.iter().for_each(|shared| shared.before_park()))
        })
        .on_thread_unpark(|| {
            HERE.with_borrow(|here| here.iter().for_each(|shared| shared.alarm.wake_up()));
        })
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            ready(Err(error));
            return;
        }
    };
    let shared = Shared::new(plan.index, plan.config, plan.load);
    HERE.set(Some(Rc::clone(&shared)));
    let orders = Rc::new(RefCell::new(VecDeque::new()));
    let worker = Worker::new(Rc::clone(&shared));
    let post = worker.mailbox({
        let (orders, shared) = (Rc::clone(&orders), Rc::clone(&shared));
        move |order| {
            orders.borrow_mut().push_back(order);
            shared.wake_main();
        }
    });
    let acceptors: io::Result<Vec<_>> = {
        let _context = runtime.enter();
        let seats = Seats::new(shared.config.connections_per_address);
        let new = |endpoint: Endpoint| {
            Acceptor::new(endpoint.listener, endpoint.security, Arc::clone(&seats))
        };
        plan.endpoints
            .into_iter()
            .map(new)
            .map(|new| new.map(Rc::new))
            .collect()
    };
    let (told, acceptors) = match acceptors {
        Ok(acceptors) => (Ok(post), acceptors),
        Err(error) => (Err(error), Vec::new()),
    };
    if ready(told) {
        let service = Rc::new(make(&worker));
        runtime.block_on(Main {
            shared: Rc::clone(&shared),
            service,
            posts: plan.posts,
            orders,
            accepting: acceptors,
            tasks: Vec::new(),
            sleep: None,
        });
        tracing::debug!(worker = plan.index, "the worker has ended");
    }
    // Tasks that are left hold the shared part: they go first, then the hooks' reference.
    drop(runtime);
    HERE.set(None);
}

/// What the worker does beside its connections' tasks: orders, timers, its end.
struct Main<S: Service> {
    shared: Rc<Shared>,
    service: Rc<S>,
    posts: Posts,
    orders: Rc<RefCell<VecDeque<Order>>>,
    accepting: Vec<Rc<Acceptor>>,
    tasks: Vec<AbortHandle>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<S: Service> Future for Main<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.shared.main.borrow().is_none() {
            this.begin(context);
        }
        loop {
            // Not in the loop's head: its borrow would last while the order is carried out.
            let order = this.orders.borrow_mut().pop_front();
            match order {
                Some(Order::Serve(arrival)) => this.serve(arrival),
                Some(Order::Drain(grace)) => this.drain(grace),
                Some(Order::Stop) => this.stop(),
                None => break,
            }
        }
        this.look_at_timers(context);
        let over = match this.shared.phase.get() {
            Phase::Running => false,
            Phase::Draining { .. } | Phase::Stopped => {
                this.accepting.is_empty() && this.shared.load.of(this.shared.index) == 0
            }
        };
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<S: Service> Main<S> {
    fn begin(&mut self, context: &Context<'_>) {
        self.shared.alarm.set_waker(context.waker());
        *self.shared.main.borrow_mut() = Some(context.waker().clone());
        for acceptor in &self.accepting {
            let (load, most) = (self.shared.load.clone(), self.shared.config.connections);
            let run = Rc::clone(acceptor).run(move || load.total() >= most, self.arrived());
            self.tasks
                .push(tokio::task::spawn_local(run).abort_handle());
        }
    }

    /// Sends an arrival to the worker with the fewest connections, by way of its mailbox even to ourselves: its
    /// task begins when those that are ready have run.
    fn arrived(&self) -> impl Fn(Arrival) + use<S> {
        let (load, posts) = (self.shared.load.clone(), Arc::clone(&self.posts));
        move |arrival| {
            let index = load.assign();
            match posts.get().and_then(|posts| posts.get(index)) {
                Some(post) => post.send(Order::Serve(arrival)),
                None => load.less(index),
            }
        }
    }

    fn serve(&self, arrival: Arrival) {
        match Driver::new(&self.shared, &self.service, arrival) {
            Ok(driver) => {
                tokio::task::spawn_local(driver);
            }
            Err(error) => {
                self.shared.load.less(self.shared.index);
                tracing::error!(%error, "cannot serve a connection that was accepted");
            }
        }
    }

    /// The worker that accepts begins, and tells the others when nothing more can arrive.
    fn drain(&mut self, grace: Duration) {
        if self.shared.phase.get() != Phase::Running {
            return;
        }
        self.close(true);
        self.tell_others(|| Order::Drain(grace));
        let until = after(Instant::now(), grace);
        self.shared.enter(Phase::Draining { until });
    }

    fn stop(&mut self) {
        if self.shared.phase.get() == Phase::Stopped {
            return;
        }
        self.close(false);
        self.tell_others(|| Order::Stop);
        self.shared.enter(Phase::Stopped);
    }

    fn close(&mut self, sweep: bool) {
        self.tasks.drain(..).for_each(|task| task.abort());
        let arrived = self.arrived();
        for acceptor in self.accepting.drain(..) {
            if sweep {
                acceptor.sweep(&arrived);
            }
        }
    }

    fn tell_others(&self, order: impl Fn() -> Order) {
        if self.shared.index == 0 {
            let others = self.posts.get().into_iter().flatten().skip(1);
            others.for_each(|post| post.send(order()));
        }
    }

    /// Wakes the connections that are due, and sets the runtime's timer to the next one.
    fn look_at_timers(&mut self, context: &mut Context<'_>) {
        loop {
            let now = Instant::now();
            while let Some(key) = self.due(now) {
                if let Some(bell) = self.shared.bells.borrow().get(key) {
                    bell.stir();
                }
            }
            let next = self.shared.timers.borrow().next();
            self.shared.sleeping_until.set(next);
            let Some(next) = next else { return };
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next.into())));
            sleep.as_mut().reset(next.into());
            if sleep.as_mut().poll(context).is_pending() {
                return;
            }
        }
    }

    fn due(&self, now: Instant) -> Option<usize> {
        self.shared.timers.borrow_mut().next_due(now)
    }
}
