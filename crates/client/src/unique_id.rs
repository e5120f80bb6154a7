//! Makes the unique ids of one client's messages.

use std::sync::atomic::{AtomicI64, AtomicU16, Ordering::Relaxed};

use maxq_protocol::message::UniqueId;

const DAY: i64 = 86_400_000;

/// Ten random bytes name the client, so that neither an address nor a process id has to be unique (in containers they
/// are not). Then the milliseconds since the month began, in UTC, and a counter.
#[derive(Debug)]
pub(crate) struct UniqueIds {
    client: [u8; 10],
    counter: AtomicU16,
    /// The month that was last looked up, as its first millisecond.
    month: AtomicI64,
}

impl UniqueIds {
    pub(crate) const fn new(client: [u8; 10]) -> Self {
        Self { client, counter: AtomicU16::new(0), month: AtomicI64::new(i64::MIN) }
    }

    /// The next id, for a message made at `wall_millis`. 65,536 in one millisecond are told apart.
    pub(crate) fn next(&self, wall_millis: i64) -> UniqueId {
        let into_month = wall_millis - self.month_of(wall_millis);
        let into_month = u32::try_from(into_month).unwrap_or(0);
        UniqueId::new(self.client, into_month, self.counter.fetch_add(1, Relaxed))
    }

    /// Months have at least 28 days: within those of a known month nothing is computed.
    fn month_of(&self, wall_millis: i64) -> i64 {
        let known = self.month.load(Relaxed);
        if (0..28 * DAY).contains(&wall_millis.saturating_sub(known)) {
            return known;
        }
        let start = start_of_month(wall_millis);
        self.month.store(start, Relaxed);
        start
    }
}

/// The first millisecond of the UTC month, by the civil calendar (Howard Hinnant's `civil_from_days`).
fn start_of_month(wall_millis: i64) -> i64 {
    let days = wall_millis.div_euclid(DAY);
    // Years here begin in March, so that the leap day is the last one.
    let shifted = days + 719_468;
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5;
    (days - day_of_month) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_says() {
        let days = |days: i64| days * DAY;
        // 1970-01-01, 1970-02-01, 2000-02-29, 2024-03-01, 2026-11-23 in days since 1970.
        for (day, first) in
            [(0, 0), (31, 31), (58, 31), (59, 59), (11_016, 10_988), (19_783, 19_783), (20_780, 20_758)]
        {
            assert_eq!(start_of_month(days(day) + 12_345_678), days(first), "day {day}");
        }
    }

    #[test]
    fn ids_of_one_client_differ_and_carry_the_time() {
        let ids = UniqueIds::new([7; 10]);
        let at = days_of_november() + 1_234;
        let (first, second) = (ids.next(at), ids.next(at));
        assert_ne!(first, second);
        assert_eq!(first.millis_into_month(), 1_234);
        assert_eq!(ids.next(at + 30 * DAY).millis_into_month(), 1_234, "the next month begins anew");
    }

    /// 2026-11-01 in milliseconds since 1970.
    fn days_of_november() -> i64 {
        20_758 * DAY
    }
}
