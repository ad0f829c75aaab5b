//! How the gateway ends: the stages that connections hear of, and what is said to those whose answers are
//! under way when their time is up. Who decides that it ends is not here.

use std::{
    future::{pending, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::{sync::watch, task::coop::unconstrained};

/// How far the gateway is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Not at all.
    #[default]
    Serving,
    /// No more requests are taken; those under way go on.
    Draining,
    /// Those under way end now, each with a word to its client.
    Ending,
}

/// Hears of the stages, for one task. Asking takes a lock, so it asks anew only when it was told something.
pub(crate) struct Ear {
    stage: watch::Receiver<Stage>,
    /// Never ends, and rings with every stage.
    stages: Pin<Box<dyn Future<Output = ()> + Send>>,
    bell: Option<Arc<Bell>>,
}

/// What wakes a task, and remembers that it did.
struct Bell {
    task: Waker,
    rang: AtomicBool,
}

/// Whether the time of what is under way is up. Wakes nobody: a connection's `Ear` does.
#[derive(Clone, Debug, Default)]
pub struct End(Arc<AtomicBool>);

/// What clients are told.
pub(crate) const SHUTTING_DOWN: &str = "the gateway is shutting down; send the request again";

// === impl Ear ===

impl Ear {
    pub(crate) fn of(stage: watch::Receiver<Stage>) -> Self {
        let mut heard = stage.clone();
        // It has to listen however much the task's turn has done.
        let stages = unconstrained(async move {
            // A sender that is gone has nothing more to say.
            while heard.changed().await.is_ok() {}
            pending().await
        });
        Self {
            stage,
            stages: Box::pin(stages),
            bell: None,
        }
    }

    /// Whether no more requests are to be taken.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stage.has_changed().unwrap_or(true)
    }

    /// Sees to it that the task is woken when the next stage comes.
    pub(crate) fn listen(&mut self, cx: &mut Context<'_>) {
        let is_quiet = |bell: &Arc<Bell>| !bell.rang() && bell.task.will_wake(cx.waker());
        if !self.bell.as_ref().is_some_and(is_quiet) {
            let bell = Arc::new(Bell {
                task: cx.waker().clone(),
                rang: AtomicBool::new(false),
            });
            let waker = Waker::from(Arc::clone(&bell));
            self.bell = Some(bell);
            let _ = self.stages.as_mut().poll(&mut Context::from_waker(&waker));
        }
    }
}

// === impl Bell ===

impl Bell {
    fn rang(&self) -> bool {
        self.rang.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

// === impl End ===

impl End {
    /// Their time is up.
    pub fn come(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is.
    #[must_use]
    pub fn has_come(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Ready when it is.
    pub(crate) async fn reached(&self) {
        poll_fn(|_| match self.has_come() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// What comes of `work`; `None` when the end comes before.
    pub(crate) async fn before<T>(&self, work: impl Future<Output = T> + Unpin) -> Option<T> {
        let mut work = work;
        poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.has_come() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    struct Woken(mpsc::Sender<()>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
        }
    }

    /// The stages come from another thread, each when the one before was heard. A stage may wake twice, and
    /// the second time must not be taken for the next one.
    #[test]
    fn no_stage_is_missed() {
        for _ in 0..300 {
            let (woken, wakes) = mpsc::channel();
            let waker = Waker::from(Arc::new(Woken(woken)));
            let mut cx = Context::from_waker(&waker);
            let (stage, heard) = watch::channel(Stage::Serving);
            let mut ear = Ear::of(heard.clone());
            let (draining, then) = mpsc::channel();
            thread::scope(|threads| {
                threads.spawn(move || {
                    stage.send(Stage::Draining).unwrap();
                    then.recv().unwrap();
                    stage.send(Stage::Ending).unwrap();
                });
                loop {
                    ear.listen(&mut cx);
                    let now = *heard.borrow();
                    if now == Stage::Ending {
                        break;
                    }
                    if now == Stage::Draining {
                        // Sent once: the other end is gone for the rest.
                        let _ = draining.send(());
                    }
                    wakes.recv_timeout(Duration::from_secs(20)).unwrap();
                }
            });
            assert!(ear.is_stopped());
        }
    }
}
