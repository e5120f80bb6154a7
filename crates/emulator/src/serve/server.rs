//! A running server: its tasks and the way to end them.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::sleep_until};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Peer, Service, converse};
use crate::{gate::Gate, listener::Listener};

/// A running server.
pub(crate) struct Server {
    stop: CancellationToken,
    tasks: TaskTracker,
    gate: Arc<Gate>,
}

impl Server {
    /// Serves `listener` until it is stopped.
    pub(crate) fn start<S: Service>(listener: Listener, service: Arc<S>, runtime: &Handle) -> Self {
        let server = Self { stop: CancellationToken::new(), tasks: TaskTracker::new(), gate: Arc::default() };
        let accepting = Accepting {
            service,
            stop: server.stop.clone(),
            tasks: server.tasks.clone(),
            gate: Arc::clone(&server.gate),
        };
        server.tasks.spawn_on(accepting.run(listener), runtime);
        server
    }

    /// Runs `task` until the server is stopped.
    pub(crate) fn run_beside(&self, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        let (stop, gate) = (self.stop.clone(), Arc::clone(&self.gate));
        self.tasks.spawn_on(
            async move {
                stop.run_until_cancelled(gate.pass(task)).await;
            },
            runtime,
        );
    }

    /// What stops and lets go all tasks.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Tells all tasks to end, without waiting for them.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Ends all tasks and waits until their sockets are closed.
    ///
    /// Cancel safety: the tasks end all the same, call again to wait.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The task that accepts connections, each into a task of its own.
struct Accepting<S> {
    service: Arc<S>,
    stop: CancellationToken,
    tasks: TaskTracker,
    gate: Arc<Gate>,
}

impl<S: Service> Accepting<S> {
    async fn run(self, listener: Listener) {
        let mut connection = 0;
        // One reference here, and one in each connection.
        let open = Arc::new(());
        while let Some(accepted) = self.stop.run_until_cancelled(self.gate.pass(listener.accept())).await {
            match accepted {
                Ok((stream, address)) => {
                    connection += 1;
                    let peer = Peer { connection, address, closing: self.stop.child_token() };
                    let (service, gate) = (Arc::clone(&self.service), Arc::clone(&self.gate));
                    let others = Arc::strong_count(&open) - 1;
                    let here = Arc::clone(&open);
                    self.tasks.spawn(async move {
                        converse(stream, peer, service, gate, others).await;
                        drop(here);
                    });
                }
                Err(error) => {
                    // Out of file handles, most likely: let some connections end first.
                    tracing::warn!(%error, "accept failed");
                    let pause = sleep_until(self.service.surroundings().clock.instant() + ACCEPT_PAUSE);
                    self.stop.run_until_cancelled(pause).await;
                }
            }
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
