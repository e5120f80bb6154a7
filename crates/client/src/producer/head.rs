//! The heads of the sends of one producer group on one route, written once for each broker.

use std::sync::OnceLock;

use maxq_protocol::{
    Group,
    serialize::{Envelope, SendFill, SendHead},
};

use crate::remoting::Head;

/// One place for each broker of a route. The first group that sends there takes it; if several producers of one client
/// send to the same topic, those of other groups write each head anew.
#[derive(Debug)]
pub(crate) struct Heads(Box<[Place]>);

/// Empty until the first send; then whose head it is, unless the names are so unusual that there is none.
type Place = OnceLock<Option<(Group, SendHead)>>;

impl Heads {
    pub(crate) fn new(brokers: usize) -> Self {
        Self((0..brokers).map(|_| OnceLock::new()).collect())
    }

    /// The head of the sends of `group` to this broker of the route, made by `make` at the first of them.
    pub(super) fn of(
        &self,
        broker: usize,
        group: &Group,
        make: impl FnOnce() -> Option<SendHead>,
    ) -> Option<&SendHead> {
        let place = self.0.get(broker)?.get_or_init(|| Some((group.clone(), make()?)));
        place.as_ref().filter(|(of, _)| of == group).map(|(_, head)| head)
    }
}

/// A head with the values of one send.
pub(super) struct FilledHead<'a> {
    pub(super) head: &'a SendHead,
    pub(super) fill: SendFill<'a>,
}

impl Head for FilledHead<'_> {
    fn write(&self, envelope: Envelope, body_length: usize, out: &mut Vec<u8>) {
        self.head.write(&self.fill, envelope.opaque, envelope.flags, body_length, out);
    }
}

#[cfg(test)]
mod tests {
    use maxq_protocol::header::SendMessage;

    use super::*;

    #[test]
    fn a_place_belongs_to_the_group_that_came_first() {
        let heads = Heads::new(1);
        let (orders, events) = (Group::new("orders").unwrap(), Group::new("events").unwrap());
        let make = || SendHead::new(&SendMessage::default());
        assert!(heads.of(0, &orders, make).is_some());
        assert!(heads.of(0, &events, make).is_none());
        assert!(heads.of(0, &orders, || unreachable!("it is there")).is_some());
        assert!(heads.of(1, &orders, make).is_none(), "the route has no such broker");
    }
}
