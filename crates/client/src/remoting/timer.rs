//! The one timer of a connection.

use std::{future::pending, pin::Pin};

use maxq_policy::Time;
use tokio::time::Sleep;

use crate::clock::Clock;

/// One sleep for the whole connection. It is moved only to an earlier point; when it fires too early, the next look
/// arms it anew. So a message in the steady state costs no timer operation.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<(Time, Pin<Box<Sleep>>)>,
}

impl Timer {
    pub(super) fn arm(&mut self, at: Time, clock: &Clock) {
        match &mut self.sleep {
            Some((armed, _)) if *armed <= at => {}
            Some((armed, sleep)) => {
                *armed = at;
                sleep.as_mut().reset(clock.instant(at));
            }
            None => self.sleep = Some((at, Box::pin(tokio::time::sleep_until(clock.instant(at))))),
        }
    }

    pub(super) async fn fired(&mut self) {
        match &mut self.sleep {
            Some((armed, sleep)) => {
                sleep.as_mut().await;
                *armed = Time::NEVER;
            }
            None => pending().await,
        }
    }
}
