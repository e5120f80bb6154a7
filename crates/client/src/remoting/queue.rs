//! Posts that wait until the outbox has room, each with its deadline.

use std::{collections::VecDeque, sync::Arc};

use maxq_policy::Time;

use super::{
    cause::Cause,
    connection::{Post, Unanswered},
};

/// The queue of one connection, in the order in which the posts came.
///
/// A caller that has gone leaves its post here. Its permit has come back, so nothing but [`sweep`](Self::sweep) bounds what
/// such posts hold: they are looked for each time the bodies here have doubled.
#[derive(Debug)]
pub(super) struct Queue {
    posts: VecDeque<Post>,
    /// No post expires before this.
    nearest: Time,
    /// Bytes of all bodies.
    bytes: usize,
    /// The next look for callers that have gone is at so many.
    sweep_at: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { posts: VecDeque::new(), nearest: Time::NEVER, bytes: 0, sweep_at: SWEEP }
    }

    /// Puts a post at the end, or tells it that there is no room.
    pub(super) fn push(&mut self, post: Post) {
        if self.posts.len() >= MOST || self.bytes >= self.sweep_at {
            self.sweep();
        }
        if self.posts.len() >= MOST {
            return post.waiter.fail(Unanswered::NotSent(Arc::new(Cause::Full)));
        }
        self.nearest = self.nearest.min(post.deadline);
        self.bytes += post.body.len();
        self.posts.push_back(post);
    }

    pub(super) fn pop(&mut self) -> Option<Post> {
        let post = self.posts.pop_front()?;
        self.bytes -= post.body.len();
        Some(post)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// No post expires before this; never, if there is none.
    pub(super) fn nearest(&self) -> Time {
        if self.posts.is_empty() { Time::NEVER } else { self.nearest }
    }

    /// Tells those whose deadline is over, and forgets those whose callers have gone.
    pub(super) fn expire(&mut self, now: Time, cause: &Arc<Cause>) {
        if self.nearest > now {
            return;
        }
        for post in std::mem::take(&mut self.posts) {
            if post.deadline <= now {
                post.waiter.fail(Unanswered::NotSent(cause.clone()));
            } else {
                self.posts.push_back(post);
            }
        }
        self.sweep();
    }

    /// Tells everybody that the connection has ended.
    pub(super) fn close(&mut self, cause: &Arc<Cause>) {
        while let Some(post) = self.pop() {
            post.waiter.fail(Unanswered::NotSent(cause.clone()));
        }
    }

    fn sweep(&mut self) {
        self.posts.retain(|post| !post.waiter.is_gone());
        self.nearest = self.posts.iter().map(|post| post.deadline).min().unwrap_or(Time::NEVER);
        self.bytes = self.posts.iter().map(|post| post.body.len()).sum();
        self.sweep_at = SWEEP.max(2 * self.bytes);
    }
}

/// Posts that wait behind the channel; what comes on top is refused as "not sent".
const MOST: usize = 8_192;
/// Bytes of bodies that are never worth a look.
const SWEEP: usize = 4 << 20;
