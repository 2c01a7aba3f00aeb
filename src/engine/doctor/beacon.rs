//! What discovery says of its own beacons, as findings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{BEACON_PORT, Stop};
use crate::discovery::Report;
use crate::model::{Finding, Presence};

/// A beacon that has left is back by then: the first ones go out within two seconds.
const BACK_WITHIN: Duration = Duration::from_millis(2500);
/// How often it is looked whether one is back; also how soon it is seen that nobody wants to know.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What discovery has seen, whenever it is asked.
pub type Reporter = Box<dyn Fn() -> Report + Send>;

/// Waits a moment if discovery has only just begun.
pub fn examine(presence: Presence, reporter: Option<&Reporter>, stop: &Stop) -> Vec<Finding> {
    let Some(reporter) = reporter.filter(|_| presence != Presence::Off) else {
        return vec![Finding::DiscoveryOff];
    };
    let until = Instant::now() + BACK_WITHIN;
    loop {
        let report = reporter();
        let back = report.networks.iter().all(|network| network.came_back);
        let settled = back && !report.networks.is_empty() || !report.deaf.is_empty();
        if settled || stop.wanted() || Instant::now() >= until {
            return findings(&report);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// By interface: it is enough that one family works.
fn findings(report: &Report) -> Vec<Finding> {
    if !report.deaf.is_empty() {
        let port = BEACON_PORT;
        return vec![Finding::DiscoveryDeaf { port }];
    }
    let mut links: BTreeMap<&str, bool> = BTreeMap::new();
    for network in &report.networks {
        *links.entry(&network.name).or_default() |= network.came_back;
    }
    let finding = |(link, returned)| Finding::Beacon {
        link: crate::model::displayable(link),
        returned,
    };
    links.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{Family, NetworkReport};
    use crate::model::Severity;

    fn network(name: &str, family: Family, came_back: bool) -> NetworkReport {
        NetworkReport {
            name: name.into(),
            family,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            send_failed: None,
            join_failed: None,
            came_back,
        }
    }

    #[test]
    fn an_interface_where_beacons_get_lost_is_noted_once() {
        let report = Report {
            networks: vec![
                network("eth0", Family::V4, true),
                network("eth0", Family::V6, false),
                network("wlan0", Family::V4, false),
                network("wlan0", Family::V6, false),
            ],
            ..Report::default()
        };
        let found = findings(&report);
        let severities: Vec<_> = found.iter().map(Finding::severity).collect();
        assert_eq!(severities, [Severity::Good, Severity::Note]);
        assert!(found[1].to_string().contains("wlan0"));
    }

    #[test]
    fn a_port_that_another_program_has_is_a_problem_and_being_off_is_said() {
        let report = Report {
            deaf: vec![(Family::V4, "taken".into())],
            networks: vec![network("eth0", Family::V4, true)],
            ..Report::default()
        };
        let found = findings(&report);
        assert_eq!(found, [Finding::DiscoveryDeaf { port: BEACON_PORT }]);
        assert_eq!(found[0].severity(), Severity::Problem);
        let off = examine(Presence::Off, None, &Stop::default());
        assert_eq!(off, [Finding::DiscoveryOff]);
    }
}
