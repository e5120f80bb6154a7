//! Unique ids that a broker gives to messages which came without one.

use maxq_protocol::message::{UniqueId, UniqueIdText};

/// Makes unique ids (Apache's `MessageClientIDSetter`, which the broker uses too).
pub(crate) struct UniqueIds {
    who: [u8; 10],
    counter: u16,
}

impl UniqueIds {
    pub(crate) fn new(random: &mut fastrand::Rng) -> Self {
        Self { who: std::array::from_fn(|_| random.u8(..)), counter: 0 }
    }

    /// The next id, made at `now` in milliseconds since 1970.
    pub(crate) fn next(&mut self, now: i64) -> UniqueIdText {
        self.counter = self.counter.wrapping_add(1);
        UniqueId::new(self.who, millis_into_month(now), self.counter).to_text()
    }
}

/// Milliseconds since the month began, in UTC.
///
/// The day of the month comes from the civil calendar by counting days from a 1 March, so that the leap day is the
/// last of its year.
fn millis_into_month(now: i64) -> u32 {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let days = now.div_euclid(DAY) + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5;
    (day_of_month * DAY + now.rem_euclid(DAY)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_is_found_in_the_calendar() {
        const DAY: u32 = 86_400_000;
        assert_eq!(millis_into_month(0), 0);
        // 2023-11-14T22:13:20Z
        assert_eq!(millis_into_month(1_700_000_000_000), 13 * DAY + 80_000_000);
        // 2024-02-29T12:00:00Z and the first moment after it
        assert_eq!(millis_into_month(1_709_208_000_000), 28 * DAY + DAY / 2);
        assert_eq!(millis_into_month(1_709_251_200_000), 0);
    }

    #[test]
    fn ids_differ_and_are_well_formed() {
        let mut ids = UniqueIds::new(&mut fastrand::Rng::with_seed(7));
        let (first, second) = (ids.next(0), ids.next(0));
        assert_ne!(first, second);
        assert_eq!(first.as_str().len(), 32);
    }
}
