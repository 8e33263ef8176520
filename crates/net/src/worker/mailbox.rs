//! Messages from other threads to one worker, with as few system calls as can be.
//!
//! ```text
//!  sender                                  worker
//!  push into the box                       … runs tasks …
//!  mail := true                            asleep := true          (before it parks)
//!  asleep := false; was it true? wake it   mail? then asleep := false, deliver instead of parking
//! ```
//!
//! Both sides write one flag and then read the other, all in one total order: either the sender sees a sleeping
//! worker, or the worker sees the mail. A worker that is awake is never woken; it looks at `mail` by itself.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;

/// Sends messages to one worker, from any thread.
pub struct Post<T> {
    letters: Arc<Mutex<Vec<T>>>,
    alarm: Arc<Alarm>,
}

impl<T> Post<T> {
    /// Puts a message into the worker's box. A worker that has ended drops it with its box.
    pub fn send(&self, letter: T) {
        self.letters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(letter);
        self.alarm.ring();
    }
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Self {
            letters: Arc::clone(&self.letters),
            alarm: Arc::clone(&self.alarm),
        }
    }
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

/// The receiving end of a [`Post`].
pub(super) struct Mailbox<T> {
    letters: Arc<Mutex<Vec<T>>>,
    /// The vector of the last delivery, kept for its memory.
    spare: Vec<T>,
}

impl<T> Mailbox<T> {
    pub(super) fn new(alarm: &Arc<Alarm>) -> (Self, Post<T>) {
        let letters = Arc::new(Mutex::new(Vec::new()));
        let post = Post {
            letters: Arc::clone(&letters),
            alarm: Arc::clone(alarm),
        };
        let mailbox = Self {
            letters,
            spare: Vec::new(),
        };
        (mailbox, post)
    }

    /// Hands over all that is there. The lock is held only to take it.
    pub(super) fn deliver(&mut self, mut to: impl FnMut(T)) {
        {
            let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
            if letters.is_empty() {
                return;
            }
            mem::swap(&mut *letters, &mut self.spare);
        }
        self.spare.drain(..).for_each(&mut to);
    }
}

/// What the senders and the worker agree by.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    asleep: AtomicBool,
    mail: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Alarm {
    /// What wakes the worker; set once, before it first sleeps.
    pub(super) fn set_waker(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    fn ring(&self) {
        self.mail.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake_by_ref();
        }
    }

    /// Whether there may be mail, cheaply.
    pub(super) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed)
    }

    /// Whether there was mail: the caller looks into the boxes now.
    pub(super) fn take_mail(&self) -> bool {
        self.has_mail() && self.mail.swap(false, Ordering::SeqCst)
    }

    /// The worker is about to park. False: mail came, it must not.
    pub(super) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        if self.mail.load(Ordering::SeqCst) {
            self.asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// The worker runs again.
    pub(super) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::task::Wake;

    struct Count(AtomicU64);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_worker_is_woken_once_and_only_when_asleep() {
        let count = Arc::new(Count(AtomicU64::new(0)));
        let alarm = Arc::new(Alarm::default());
        alarm.set_waker(&Waker::from(Arc::clone(&count)));
        let (mut mailbox, post) = Mailbox::new(&alarm);

        post.send(1);
        assert!(alarm.take_mail());
        assert!(alarm.fall_asleep());
        post.send(2);
        post.send(3);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        alarm.wake_up();
        assert!(alarm.take_mail());
        let mut letters = Vec::new();
        mailbox.deliver(|letter| letters.push(letter));
        assert_eq!(letters, [1, 2, 3]);
    }

    #[test]
    fn mail_that_comes_before_the_worker_parks_keeps_it_awake() {
        let alarm = Arc::new(Alarm::default());
        let (_mailbox, post) = Mailbox::new(&alarm);
        post.send(());
        assert!(!alarm.fall_asleep());
    }
}
