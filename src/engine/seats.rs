//! Places for those who ask without a secret: each is a question on somebody's screen, so there are
//! few, and one neighbourhood cannot have them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::limits::{ASKING, ASKING_NEAR, neighbourhood};
use super::lock;

#[derive(Default)]
pub struct Seats(Mutex<HashMap<IpAddr, usize>>);

/// Held while somebody waits for an answer; dropping it makes room.
pub struct Seat {
    seats: Arc<Seats>,
    from: IpAddr,
}

impl Seats {
    pub fn take(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let from = neighbourhood(from);
        let mut taken = lock(&self.0);
        let free = taken.values().sum::<usize>() < ASKING
            && taken.get(&from).copied().unwrap_or(0) < ASKING_NEAR;
        free.then(|| {
            *taken.entry(from).or_default() += 1;
            Seat {
                seats: self.clone(),
                from,
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.0);
        if let Some(count) = taken.get_mut(&self.from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_few_for_a_neighbourhood_and_in_all_and_come_back() {
        let seats = Arc::new(Seats::default());
        let ip = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut held = Vec::new();
        for n in 0..u8::MAX {
            held.extend(seats.take(ip(n / 8)));
        }
        assert_eq!(held.len(), ASKING);
        let first = held.iter().filter(|seat| seat.from == ip(0)).count();
        assert_eq!(first, ASKING_NEAR);
        assert!(seats.take(ip(99)).is_none());
        held.pop();
        assert!(seats.take(ip(99)).is_some());
        drop(held);
        assert!(lock(&seats.0).is_empty());
        // One network of IPv6 is one neighbourhood.
        let v6 = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, n]);
        let held: Vec<_> = (0..9).filter_map(|n| seats.take(v6(n))).collect();
        assert_eq!(held.len(), ASKING_NEAR);
    }
}
