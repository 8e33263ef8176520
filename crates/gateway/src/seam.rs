//! The shapes of `thalweg_net` that the gateway stands on.
#![allow(missing_docs)]

use std::sync::Arc;
use thalweg_proto::session::{Event, Source, Streams};

#[derive(Debug)]
pub struct Peer {
    pub address: String,
}

pub trait Service: 'static {
    type Connection: Connection;
    fn accept(&self, peer: Arc<Peer>, wake: Wake) -> Self::Connection;
}

pub trait Connection: Source {
    fn event(&mut self, session: &mut dyn Streams, event: Event<'_>);
    fn woken(&mut self, session: &mut dyn Streams);
    fn ended(&mut self, why: Ended);
}

#[derive(Debug)]
pub struct Ended;

#[derive(Clone)]
pub struct Wake;
impl Wake {
    pub fn wake(&self) {}
}

pub struct Post<T>(std::marker::PhantomData<fn(T)>);
impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}
impl<T> Post<T> {
    pub fn send(&self, _: T) {}
}

pub struct WorkerHandle;
impl WorkerHandle {
    pub fn mailbox<T>(&self, _: impl FnMut(&mut Vec<T>) + 'static) -> Post<T> {
        Post(std::marker::PhantomData)
    }
    pub fn before_park(&self, _: impl FnMut() + 'static) {}
}
