//! Handlers on the worker's own thread.

use crate::site::{Http2, Site, eventually, exchange_octets};
use bytes::Bytes;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use thalweg_gateway::{Exchange, Handler, Remote, Router};
use thalweg_proto::head::Response;
use thalweg_proto::session::StreamId;

/// Does with each exchange what its path says.
struct Local {
    detached: Sender<Remote>,
}

impl Handler for Local {
    fn handle(&self, exchange: Exchange) {
        match exchange.head().path() {
            Some(b"/drop") => drop(exchange),
            Some(b"/detach") => self.detached.send(exchange.detach()).unwrap(),
            path => {
                let path = Bytes::copy_from_slice(path.unwrap_or_default());
                exchange.respond(Response::new(200), path).unwrap();
            }
        }
    }
}

#[test]
fn an_exchange_is_answered_at_once_or_later_from_another_thread() {
    let (detached, taken) = channel();
    let site = Site::local(move || {
        Router::to(Local {
            detached: detached.clone(),
        })
    });
    let mut client = Http2::new(site.address);
    let later = client.ask("GET", "/detach", true);
    client.flush();
    let remote = taken.recv().unwrap();
    let ids: Vec<StreamId> = (0..100).map(|_| client.ask("GET", "/now", true)).collect();
    for id in ids {
        assert_eq!(client.answer(id).1, b"/now");
    }
    remote
        .respond(Response::new(200), Bytes::from_static(b"late"))
        .unwrap();
    assert_eq!(client.answer(later).1, b"late");
}

#[test]
fn an_exchange_that_is_dropped_is_a_500() {
    let (detached, _taken) = channel();
    let site = Site::local(move || {
        Router::to(Local {
            detached: detached.clone(),
        })
    });
    let answer = exchange_octets(
        site.address,
        b"GET /drop HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
}

/// Answers when the worker is about to sleep.
struct Batching {
    gathered: std::cell::RefCell<Vec<Exchange>>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

impl Handler for Batching {
    fn handle(&self, exchange: Exchange) {
        self.gathered.borrow_mut().push(exchange);
    }

    fn before_park(&self) {
        let gathered = std::mem::take(&mut *self.gathered.borrow_mut());
        if !gathered.is_empty() {
            self.sizes.lock().unwrap().push(gathered.len());
        }
        for exchange in gathered {
            exchange.respond(Response::new(204), Bytes::new()).unwrap();
        }
    }
}

#[test]
fn the_requests_of_one_turn_can_be_gathered() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let site = Site::local({
        let sizes = Arc::clone(&sizes);
        move || {
            Router::to(Batching {
                gathered: Default::default(),
                sizes: Arc::clone(&sizes),
            })
        }
    });
    let mut client = Http2::new(site.address);
    let ids: Vec<StreamId> = (0..50).map(|_| client.ask("GET", "/", true)).collect();
    for id in ids {
        assert_eq!(client.answer(id).0.status, 204);
    }
    eventually("all were gathered", || {
        sizes.lock().unwrap().iter().sum::<usize>() == 50
    });
    // They were sent in one write: far fewer turns than requests.
    assert!(sizes.lock().unwrap().len() < 10, "{sizes:?}");
}
