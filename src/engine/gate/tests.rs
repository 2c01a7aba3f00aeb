use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::engine::limits::GUESS_BACK_EVERY;

fn code(n: u32) -> Code {
    Code::generate(|bytes| {
        bytes.copy_from_slice(&n.to_be_bytes());
        Ok::<(), ()>(())
    })
    .unwrap()
}

fn open(now: Instant) -> Gate {
    let mut gate = Gate::closed(now);
    gate.open_with_code(code(1), now, true);
    gate
}

fn from(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + n).into()
}

/// An IPv4 address or an address of another IPv6 network for each number.
fn anywhere(n: u32) -> IpAddr {
    if n.is_multiple_of(2) {
        from(n)
    } else {
        Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(n) << 64) | (u128::from(n) * 7))
            .into()
    }
}

#[test]
fn a_code_is_dead_after_its_first_success_even_for_two_at_once() {
    let now = Instant::now();
    let mut gate = open(now);
    let first = gate.ticket(Method::Code, from(1), now).unwrap();
    let second = gate.ticket(Method::Code, from(2), now).unwrap();
    assert!(gate.succeeded(&first, now, code(2)));
    assert!(!gate.succeeded(&second, now, code(3)));
    assert_eq!(gate.code().unwrap().digits(), "000002");
}

#[test]
fn three_wrong_tries_kill_a_code() {
    let now = Instant::now();
    let mut gate = open(now);
    for left in [2, 1, 0] {
        let ticket = gate.ticket(Method::Code, from(1), now).unwrap();
        assert_eq!(gate.failed(&ticket, now, code(9)).tries_left, left);
    }
    assert_eq!(gate.code().unwrap().digits(), "000009");
}

#[test]
fn who_hangs_up_before_an_answer_has_paid_but_the_code_has_its_tries() {
    let now = Instant::now();
    let mut gate = open(now);
    for n in 0..CODE_GUESSES - 1 {
        drop(gate.ticket(Method::Code, from(n), now).unwrap());
    }
    assert_eq!(gate.code().unwrap().digits(), "000001");
    // The last token is enough for the right one, and then it is back.
    let right = gate.ticket(Method::Code, from(99), now).unwrap();
    assert!(gate.ticket(Method::Code, from(98), now).is_none());
    assert!(gate.succeeded(&right, now, code(2)));
    assert!(!gate.rests());
    drop(gate.ticket(Method::Code, from(98), now).unwrap());
    assert!(gate.rests());
}

#[test]
fn used_up_guesses_rest_until_a_person_wants_a_new_code() {
    let now = Instant::now();
    let mut gate = open(now);
    let mut guesses = 0;
    while let Some(ticket) = gate.ticket(Method::Code, from(guesses), now) {
        gate.failed(&ticket, now, code(guesses + 10));
        guesses += 1;
    }
    assert_eq!(guesses, CODE_GUESSES);
    assert!(gate.rests());
    assert_eq!(gate.method(), Some(Method::Code), "nobody outside is told");
    // Neither time nor the new codes that come by themselves end it.
    let tomorrow = now + Duration::from_secs(86_400);
    assert!(gate.code_is_over(tomorrow));
    gate.renew(code(5), tomorrow);
    assert!(gate.ticket(Method::Code, from(77), tomorrow).is_none());
    assert!(gate.rests());
    gate.open_with_code(code(6), tomorrow, true);
    assert!(!gate.rests());
    for n in 0..CODE_GUESSES {
        assert!(gate.ticket(Method::Code, from(n), tomorrow).is_some());
    }
}

#[test]
fn one_neighbourhood_alone_never_brings_the_rest_about() {
    let mut now = Instant::now();
    let mut gate = open(now);
    let mut evaluated = 0;
    for n in 0..1_000_000_u32 {
        now += Duration::from_millis(500);
        if let Some(ticket) = gate.ticket(Method::Code, from(1), now) {
            gate.failed(&ticket, now, code(n));
            evaluated += 1;
        }
        if n.is_multiple_of(1000) {
            let honest = gate.ticket(Method::Code, from(2), now);
            let honest = honest.expect("somebody else can always try");
            assert!(gate.succeeded(&honest, now, code(n)));
        }
    }
    let minutes = 500_000 / 60;
    eprintln!("a million guesses from one address in {minutes} minutes: {evaluated} evaluated");
    assert!(evaluated <= CODE_GUESSES_NEAR + minutes);
    assert!(!gate.rests());
}

#[test]
fn of_a_million_guesses_over_many_addresses_and_codes_few_are_evaluated() {
    // As fast as they come; and a patient crowd that lets the bucket never run dry.
    for patient in [false, true] {
        let start = Instant::now();
        let mut now = start;
        let mut gate = open(now);
        let mut evaluated = 0;
        let mut rested = None;
        let mut codes = 1;
        for n in 0..1_000_000_u32 {
            now += Duration::from_millis(10);
            if gate.code_is_over(now) {
                codes += 1;
                gate.renew(code(codes), now);
            }
            // With nine taken it comes once a minute: ten milliseconds, 6,000 times.
            if patient && evaluated >= CODE_GUESSES - 1 && !n.is_multiple_of(6_001) {
                continue;
            }
            if let Some(ticket) = gate.ticket(Method::Code, anywhere(n), now) {
                evaluated += 1;
                codes += 1;
                gate.failed(&ticket, now, code(codes));
            }
            if gate.rests() && rested.is_none() {
                rested = Some(now);
            }
        }
        assert_eq!(rested.is_some(), !patient);
        let until = rested.unwrap_or(now) - start;
        let minutes = u32::try_from(until.as_secs() / GUESS_BACK_EVERY.as_secs()).unwrap();
        eprintln!(
            "a million guesses over a million networks, patient: {patient}: {evaluated} evaluated \
             in the {minutes} minutes before code entry rested, if it did"
        );
        assert!(evaluated <= CODE_GUESSES + minutes);
        assert!(evaluated >= CODE_GUESSES - 1, "the test guesses at all");
    }
}

/// What SECURITY.md says of a patient guesser, for a week in which the server is never without a code.
#[test]
fn a_patient_guesser_has_one_guess_a_minute_for_a_week_and_never_keeps_others_out() {
    const MINUTES: u32 = 7 * 24 * 60;
    let start = Instant::now();
    let mut gate = open(start);
    let (mut evaluated, mut codes, mut first_day) = (0, 1, None);
    // It looks every ten seconds whether there is a guess that nobody misses.
    for second in (0..MINUTES * 60).step_by(10) {
        let now = start + Duration::from_secs(u64::from(second));
        if gate.code_is_over(now) {
            codes += 1;
            gate.renew(code(codes), now);
        }
        gate.codes.refill(now);
        if gate.codes.left() > 1
            && let Some(ticket) = gate.ticket(Method::Code, anywhere(second), now)
        {
            evaluated += 1;
            codes += 1;
            gate.failed(&ticket, now, code(codes));
        }
        if second == 24 * 60 * 60 {
            first_day = Some(evaluated);
        }
        // Somebody who has read the right one gets in at any moment.
        if second.is_multiple_of(3600) {
            let honest = gate
                .ticket(Method::Code, anywhere(second + 1), now)
                .unwrap();
            codes += 1;
            assert!(gate.succeeded(&honest, now, code(codes)));
        }
        assert!(!gate.rests());
    }
    eprintln!("a week of patience: {evaluated} evaluated, {first_day:?} of them on the first day");
    // One is always left to others, so of ten it has nine at once.
    assert_eq!(first_day, Some(CODE_GUESSES - 1 + 24 * 60));
    assert!(evaluated < CODE_GUESSES + MINUTES, "{evaluated}");
    assert!(
        gate.generation > u64::from(MINUTES / 3),
        "at ever new codes"
    );
}

#[test]
fn an_expired_code_works_half_a_minute_longer() {
    let now = Instant::now();
    let mut gate = open(now);
    let later = now + CODE_LIFE;
    assert!(!gate.code_is_over(later - Duration::from_secs(1)));
    assert!(gate.code_is_over(later));
    gate.renew(code(2), later);
    let typed = gate.ticket(Method::Code, from(1), later).unwrap();
    assert_eq!(typed.secret.as_slice(), b"000001");
    let after = later + CODE_GRACE;
    let typed = gate.ticket(Method::Code, from(1), after).unwrap();
    assert_eq!(typed.secret.as_slice(), b"000002");
}

#[test]
fn a_passphrase_stays_valid_and_other_ways_are_closed() {
    let now = Instant::now();
    let mut gate = Gate::closed(now);
    assert!(gate.ticket(Method::Code, from(1), now).is_none());
    gate.open_with_passphrase(Secret::passphrase("correct horse").unwrap());
    assert!(gate.ticket(Method::Code, from(1), now).is_none());
    for _ in 0..500 {
        let ticket = gate.ticket(Method::Passphrase, from(1), now).unwrap();
        assert!(gate.succeeded(&ticket, now, code(0)));
    }
}

#[test]
fn a_passphrase_bears_more_guesses_and_never_rests_for_ever() {
    let now = Instant::now();
    let mut gate = Gate::closed(now);
    gate.open_with_passphrase(Secret::passphrase("correct horse").unwrap());
    let mut evaluated = 0;
    for n in 0..100_000 {
        if let Some(ticket) = gate.ticket(Method::Passphrase, anywhere(n % 64), now) {
            gate.failed(&ticket, now, code(0));
            evaluated += 1;
        }
    }
    assert_eq!(evaluated, PASSPHRASE_GUESSES);
    assert!(!gate.rests());
    let minute = now + GUESS_BACK_EVERY;
    assert!(gate.ticket(Method::Passphrase, from(1), minute).is_some());
    assert!(gate.ticket(Method::Passphrase, from(1), minute).is_none());
}

#[test]
fn one_neighbourhood_leaves_guesses_at_the_passphrase_to_others() {
    let now = Instant::now();
    let mut gate = Gate::closed(now);
    gate.open_with_passphrase(Secret::passphrase("correct horse").unwrap());
    let mut tried = 0;
    while gate.ticket(Method::Passphrase, from(1), now).is_some() {
        tried += 1;
    }
    assert_eq!(tried, PASSPHRASE_GUESSES_NEAR);
    assert!(gate.ticket(Method::Passphrase, from(2), now).is_some());
}

#[test]
fn a_passphrase_that_was_replaced_lets_nobody_in() {
    let now = Instant::now();
    let mut gate = Gate::closed(now);
    gate.open_with_passphrase(Secret::passphrase("correct horse").unwrap());
    let ticket = gate.ticket(Method::Passphrase, from(1), now).unwrap();
    gate.open_with_passphrase(Secret::passphrase("battery staple").unwrap());
    assert!(!gate.succeeded(&ticket, now, code(0)));
}

#[test]
fn who_is_allowed_decides_which_ways_are_open() {
    let now = Instant::now();
    let mut gate = open(now);
    for (allow, method, asks) in [
        (Allow::Anyone, Some(Method::Code), true),
        (Allow::Code, Some(Method::Code), false),
        (Allow::Paired, None, false),
    ] {
        gate.set_allow(allow);
        assert_eq!(gate.method(), method, "{allow:?}");
        assert_eq!(gate.asks(), asks, "{allow:?}");
        let ticket = gate.ticket(Method::Code, from(1), now);
        assert_eq!(ticket.is_some(), method.is_some(), "{allow:?}");
        assert_eq!(gate.code().is_some(), method.is_some(), "{allow:?}");
    }
    gate.set_allow(Allow::Anyone);
    let begun = gate.ticket(Method::Code, from(1), now).unwrap();
    gate.set_allow(Allow::Paired);
    assert!(!gate.succeeded(&begun, now, code(2)), "changed in between");
    gate.set_allow(Allow::Anyone);
    gate.close();
    assert!(!gate.asks());
    assert_eq!(gate.method(), None);
}

#[test]
fn asks_that_nobody_accepts_run_out_and_an_accepted_one_costs_nothing() {
    let now = Instant::now();
    let mut gate = Gate::closed(now);
    let from = IpAddr::from([10, 0, 0, 1]);
    assert!(!gate.ask(from, now), "it is closed");
    gate.open_with_code(code(1), now, true);
    gate.set_allow(Allow::Code);
    assert!(!gate.ask(from, now), "it does not let anyone ask");
    gate.set_allow(Allow::Anyone);
    for _ in 0..1000 {
        assert!(gate.ask(from, now));
        gate.accepted(from);
    }
    let asks = (0..1000).filter(|_| gate.ask(from, now)).count();
    assert_eq!(asks, ASKS_NEAR as usize);
    let crowd = |n: u32| IpAddr::from(std::net::Ipv4Addr::from(n));
    let asks = (0..1_000_000).filter(|n| gate.ask(crowd(*n), now)).count();
    assert_eq!(asks, (ASKS - ASKS_NEAR) as usize);
    assert!(gate.ask(crowd(7), now + GUESS_BACK_EVERY));
    // A new code is no leave to ask, and who knows it is not concerned.
    gate.open_with_code(code(2), now, true);
    assert!(!gate.ask(crowd(8), now + GUESS_BACK_EVERY));
    assert!(gate.ticket(Method::Code, from, now).is_some());
}
