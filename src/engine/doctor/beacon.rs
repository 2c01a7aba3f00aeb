//! What discovery says of its own beacons, as findings.

use crate::model::Finding;

/// What discovery knows of one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BeaconFacts {
    pub link: String,
    /// A beacon of this device's own came back through multicast or broadcast.
    pub returned: bool,
}

/// To be called with what discovery has seen since it started, a moment after its first beacons.
pub fn beacon_findings(facts: &[BeaconFacts]) -> Vec<Finding> {
    let finding = |fact: &BeaconFacts| Finding::Beacon {
        link: crate::model::displayable(&fact.link),
        returned: fact.returned,
    };
    facts.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;

    #[test]
    fn an_interface_where_beacons_get_lost_is_noted() {
        let fact = |link: &str, returned| BeaconFacts {
            link: link.into(),
            returned,
        };
        let found = beacon_findings(&[fact("eth0", true), fact("wlan0", false)]);
        let severities: Vec<_> = found.iter().map(Finding::severity).collect();
        assert_eq!(severities, [Severity::Good, Severity::Note]);
        assert!(found[1].to_string().contains("wlan0"));
    }
}
