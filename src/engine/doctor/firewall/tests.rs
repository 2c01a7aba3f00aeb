//! What real rulesets do with somebody new, told from what their programs print.

use super::filter::{Packet, Protocol, Rules, Verdict};
use super::{firewalld, iptables, nft, ufw};
use crate::engine::doctor::links::Network;

const BY_HAND: &str = include_str!("../../../../tests/samples/firewall/nft-by-hand.json");
const OF_IPTABLES: &str = include_str!("../../../../tests/samples/firewall/nft-of-iptables.json");
const OF_FIREWALLD: &str = include_str!("../../../../tests/samples/firewall/nft-of-firewalld.json");
const UFW_RULES: &str = include_str!("../../../../tests/samples/firewall/ufw-user.rules");
const UFW: &str = include_str!("../../../../tests/samples/firewall/ufw.iptables-save");
const UFW_V6: &str = include_str!("../../../../tests/samples/firewall/ufw.ip6tables-save");

fn network(text: &str) -> Network {
    let (address, bits) = text.split_once('/').unwrap();
    Network {
        address: address.parse().unwrap(),
        bits: bits.parse().unwrap(),
    }
}

fn tcp(port: u16, from: &str) -> Packet {
    let from = network(from);
    Packet {
        link: "eth0".into(),
        protocol: Protocol::Tcp,
        port,
        to: Some(from.address),
        from,
        multicast: false,
    }
}

fn udp(port: u16, to: Option<&str>) -> Packet {
    Packet {
        protocol: Protocol::Udp,
        to: to.map(|to| to.parse().unwrap()),
        multicast: true,
        ..tcp(port, "192.168.1.20/24")
    }
}

fn drops(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Drops(_))
}

fn nft_rules(text: &str) -> Rules {
    nft::parse(text).unwrap().rules
}

/// A ruleset of one chain, from rules as `nft -j` prints their expressions.
fn chain(policy: &str, rules: &[&str]) -> Rules {
    let rules = rules.iter().map(|expressions| {
        format!(
            r#",{{"rule":{{"family":"inet","table":"t","chain":"c","handle":9,"expr":[{expressions}]}}}}"#
        )
    });
    let rules: String = rules.collect();
    nft_rules(&format!(
        r#"{{"nftables":[{{"metainfo":{{"json_schema_version":1}}}},
        {{"chain":{{"family":"inet","table":"t","name":"c","handle":1,"type":"filter","hook":"input","prio":0,"policy":"{policy}"}}}}{rules}]}}"#
    ))
}

#[test]
fn a_ruleset_made_by_hand_is_understood_as_far_as_it_goes() {
    let rules = nft_rules(BY_HAND);
    for (packet, verdict) in [
        (tcp(22, "192.168.1.20/24"), Verdict::Accepts),
        (tcp(8050, "192.168.1.20/24"), Verdict::Accepts),
        (tcp(9001, "192.168.1.20/24"), Verdict::Accepts),
        // A mark may have been set by something that is not seen here.
        (tcp(9000, "192.168.1.20/24"), Verdict::Unclear),
        (udp(5353, Some("224.0.0.251")), Verdict::Accepts),
    ] {
        assert_eq!(rules.verdict(&packet), verdict, "{packet:?}");
    }
    assert!(drops(&rules.verdict(&tcp(23, "192.168.1.20/24"))));
    assert!(drops(&rules.verdict(&tcp(9001, "172.16.1.20/24"))));
    // All of that network is in a set of those who are kept out.
    assert!(drops(&rules.verdict(&tcp(22, "10.1.2.3/24"))));
    // Some of this one are.
    assert_eq!(rules.verdict(&tcp(22, "10.9.9.9/8")), Verdict::Unclear);
    let elsewhere = Packet {
        link: "wlan0".into(),
        ..tcp(23, "192.168.1.20/24")
    };
    assert_eq!(rules.verdict(&elsewhere), Verdict::Unclear);
}

#[test]
fn what_a_ruleset_made_by_firewalld_lets_in_is_told_from_its_zones() {
    let rules = nft_rules(OF_FIREWALLD);
    assert_eq!(rules.verdict(&tcp(22, "10.78.0.1/24")), Verdict::Accepts);
    assert_eq!(
        rules.verdict(&tcp(9000, "192.168.1.20/24")),
        Verdict::Accepts
    );
    let Verdict::Drops(chains) = rules.verdict(&tcp(9000, "10.78.0.1/24")) else {
        panic!("{:?}", rules.verdict(&tcp(9000, "10.78.0.1/24")));
    };
    assert_eq!(chains.len(), 1);
    assert_eq!(
        (chains[0].table.as_str(), chains[0].name.as_str()),
        ("firewalld", "filter_INPUT")
    );
    assert_eq!(rules.verdict(&udp(9000, None)), Verdict::Accepts);
}

#[test]
fn rules_of_iptables_are_better_asked_of_iptables() {
    let parsed = nft::parse(OF_IPTABLES).unwrap();
    assert_eq!(parsed.by_iptables, ["ip"]);
    let rules = iptables::parse(
        "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n\
         -A INPUT -i lo -j ACCEPT\n\
         -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         -A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m state --state NEW -j DROP\n\
         -A INPUT -p tcp -m tcp --dport 22 -m comment --comment \"-A INPUT -j DROP \\\"x\\\"\" -j ACCEPT\n\
         -A INPUT -p tcp -m multiport --dports 80,443,8000:8100 -j ACCEPT\n\
         -A INPUT -s 192.168.0.0/16 -p tcp -m tcp --dport 9001 -m recent --set --name x --rsource -j ACCEPT\n\
         -A INPUT -m limit --limit 3/min -j LOG --log-prefix \"no: \"\n\
         -A INPUT -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n\
         *nat\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n",
        "ip",
    );
    assert_eq!(rules.verdict(&tcp(22, "192.168.1.20/24")), Verdict::Accepts);
    assert_eq!(
        rules.verdict(&tcp(8050, "192.168.1.20/24")),
        Verdict::Accepts
    );
    assert_eq!(
        rules.verdict(&tcp(9001, "192.168.1.20/24")),
        Verdict::Unclear
    );
    assert!(drops(&rules.verdict(&tcp(9001, "10.0.0.1/8"))));
    assert!(drops(&rules.verdict(&tcp(9000, "192.168.1.20/24"))));
    // Of IPv6 it says nothing.
    assert_eq!(
        rules.verdict(&tcp(9000, "2001:db8::1/64")),
        Verdict::NoFilter
    );
}

#[test]
fn the_rules_that_ufw_makes_let_in_what_it_was_told_to() {
    let mut rules = iptables::parse(UFW, "ip");
    rules.add(iptables::parse(UFW_V6, "ip6"));
    let near = "192.168.1.20/24";
    assert!(drops(&rules.verdict(&tcp(9000, near))));
    assert!(drops(&rules.verdict(&tcp(9000, "2001:db8::1/64"))));
    assert!(drops(&rules.verdict(&tcp(9001, near))));
    assert_eq!(rules.verdict(&tcp(9002, near)), Verdict::Accepts);
    assert!(drops(&rules.verdict(&tcp(9002, "10.0.0.1/8"))));
    assert_eq!(rules.verdict(&tcp(9003, near)), Verdict::Accepts);
    assert_eq!(
        rules.verdict(&udp(5353, Some("224.0.0.251"))),
        Verdict::Accepts
    );
    assert!(drops(&rules.verdict(&udp(9000, None))));
}

#[test]
fn the_files_of_ufw_tell_the_same() {
    let verdict = |protocol, port| ufw::verdict(UFW_RULES, false, protocol, port);
    for (port, expected) in [
        (9000, ufw::Verdict::Drops(false)),
        (9001, ufw::Verdict::Drops(true)),
        // Not for everybody: that is left to the rules in force.
        (9002, ufw::Verdict::Unclear),
        (9003, ufw::Verdict::Unclear),
        (22, ufw::Verdict::Accepts),
        // Only what goes out.
        (53, ufw::Verdict::Drops(false)),
    ] {
        assert_eq!(verdict(Protocol::Tcp, port), expected, "{port}");
    }
    assert_eq!(verdict(Protocol::Udp, 7005), ufw::Verdict::Accepts);
    assert_eq!(
        ufw::verdict(UFW_RULES, true, Protocol::Tcp, 9000),
        ufw::Verdict::Accepts
    );
    assert!(ufw::is_enabled("# comment\nENABLED=no\nENABLED=yes\n"));
    assert!(!ufw::is_enabled("ENABLED=no\n#ENABLED=yes\n"));
    assert!(ufw::accepts_by_default("DEFAULT_INPUT_POLICY=\"ACCEPT\"\n"));
    assert!(!ufw::accepts_by_default("DEFAULT_INPUT_POLICY=\"DROP\"\n"));
    assert_eq!(
        ufw::remedy(Protocol::Tcp, "9000", false),
        "sudo ufw allow 9000/tcp"
    );
    assert_eq!(
        ufw::remedy(Protocol::Tcp, "9000", true),
        "sudo ufw prepend allow 9000/tcp"
    );
}

#[test]
fn a_zone_of_firewalld_is_read_as_it_is_listed() {
    // firewall-cmd 1.3.3, and Fedora Workstation's zone.
    let public = "public\n  target: default\n  icmp-block-inversion: no\n  interfaces: eth0\n  sources: \n  \
        services: dhcpv6-client mdns ssh\n  ports: 1025-65535/udp 8080/tcp\n  protocols: \n  forward: yes\n  \
        masquerade: no\n  forward-ports: \n  source-ports: \n  icmp-blocks: \n  rich rules: \n";
    let zone = firewalld::zone(public).unwrap();
    assert_eq!(zone.verdict(Protocol::Tcp, 9000), firewalld::Verdict::Drops);
    assert_eq!(
        zone.verdict(Protocol::Tcp, 8080),
        firewalld::Verdict::Accepts
    );
    assert_eq!(
        zone.verdict(Protocol::Udp, 9000),
        firewalld::Verdict::Accepts
    );
    assert_eq!(
        zone.verdict(Protocol::Udp, 5353),
        firewalld::Verdict::Accepts
    );
    let rich = format!(
        "{public}\trule family=\"ipv4\" source address=\"192.168.0.0/16\" port port=\"9000\" protocol=\"tcp\" accept\n"
    );
    let zone = firewalld::zone(&rich).unwrap();
    assert_eq!(
        zone.verdict(Protocol::Tcp, 9000),
        firewalld::Verdict::Unclear
    );
    assert_eq!(zone.verdict(Protocol::Tcp, 9001), firewalld::Verdict::Drops);
    let trusted = public.replace("default", "ACCEPT");
    let zone = firewalld::zone(&trusted).unwrap();
    assert_eq!(zone.verdict(Protocol::Tcp, 1), firewalld::Verdict::Accepts);
    assert_eq!(firewalld::zone("Error: INVALID_ZONE: x\n"), None);
    assert_eq!(
        firewalld::remedies("public", Protocol::Udp, &[9000, 5353]),
        [
            "sudo firewall-cmd --zone=public --add-port=9000/udp --add-port=5353/udp",
            "sudo firewall-cmd --permanent --zone=public --add-port=9000/udp --add-port=5353/udp",
        ]
    );
    assert!(firewalld::remedies("a; b", Protocol::Tcp, &[1]).is_empty());
}

#[test]
fn a_rule_that_is_not_understood_leaves_it_unclear_only_if_it_could_matter() {
    let near = || tcp(9000, "192.168.1.20/24");
    let quota = r#"{"quota":{"val":1}},{"accept":null}"#;
    let drop = r#"{"drop":null}"#;
    assert_eq!(chain("accept", &[]).verdict(&near()), Verdict::NoFilter);
    assert_eq!(chain("accept", &[quota]).verdict(&near()), Verdict::Accepts);
    assert_eq!(chain("drop", &[quota]).verdict(&near()), Verdict::Unclear);
    assert!(drops(&chain("accept", &[drop, quota]).verdict(&near())));
    assert_eq!(
        chain("accept", &[r#"{"queue":{"num":1}}"#]).verdict(&near()),
        Verdict::Unclear
    );
    let only_syn = r#"{"match":{"op":"!=","left":{"&":[{"payload":{"protocol":"tcp","field":"flags"}},["fin","syn","rst","ack"]]},"right":"syn"}},{"drop":null}"#;
    assert_eq!(
        chain("accept", &[only_syn]).verdict(&near()),
        Verdict::Accepts
    );
}

#[test]
fn whatever_a_ruleset_holds_it_ends_and_nothing_breaks() {
    let near = || tcp(9000, "192.168.1.20/24");
    let jump = r#"{"jump":{"target":"c"}}"#;
    let unknown = r#"{"quota":{}},{"jump":{"target":"c"}}"#;
    // Chains that call themselves.
    assert_eq!(chain("accept", &[jump]).verdict(&near()), Verdict::Unclear);
    assert_eq!(
        chain("accept", &[unknown; 50]).verdict(&near()),
        Verdict::Unclear
    );
    for nonsense in [
        "",
        "[]",
        "{}",
        "{\"nftables\": 7}",
        "Operation not permitted",
    ] {
        assert!(nft::parse(nonsense).is_none(), "{nonsense}");
    }
    for odd in [
        r#"{"match":7}"#,
        r#"7"#,
        r#"{}"#,
        r#"{"vmap":{"key":7,"data":{"set":[[7],["x"],[1,2]]}}}"#,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"range":[9]}}},{"drop":null}"#,
        r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"1.2.3.4","len":999}}}},{"drop":null}"#,
        r#"{"match":{"op":"==","left":{"meta":{"key":"iif"}},"right":"@nobody"}},{"drop":null}"#,
    ] {
        let _ = chain("accept", &[odd]).verdict(&near());
    }
    for odd in [
        "*filter\n:INPUT\n-A\n-A INPUT\n-A INPUT -j\n-A INPUT \"\n:\n",
        "*filter\n-A INPUT -p\n",
    ] {
        let _ = iptables::parse(odd, "ip").verdict(&near());
    }
}

#[test]
fn the_command_is_for_the_chain_that_keeps_others_out() {
    let Verdict::Drops(chains) = chain("drop", &[]).verdict(&tcp(9000, "192.168.1.20/24")) else {
        panic!("it drops");
    };
    assert_eq!(
        nft::remedy(&chains[0], Protocol::Tcp, "9000").as_deref(),
        Some("sudo nft insert rule inet t c tcp dport 9000 accept")
    );
    let mut odd = chains[0].clone();
    odd.name = "c; reboot".into();
    assert_eq!(nft::remedy(&odd, Protocol::Tcp, "9000"), None);
}
