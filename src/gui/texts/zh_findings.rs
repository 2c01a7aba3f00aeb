//! 连接诊断的结果。

use crate::model::finding::{
    Door, Firewall, LinkKind, NoConnection, Road, Speaks, Unclear, listed, spent,
};
use crate::model::{Finding, Severity, Way};

fn door(door: Door) -> String {
    match door {
        Door::Transfers { tcp } => format!("TCP 端口 {tcp}（接收文件）"),
        Door::Discovery { udp } => format!("UDP 端口 {udp}（发现设备）"),
        Door::AllDiscovery { udp } => format!("UDP 端口 {udp} 和 5353（发现设备）"),
    }
}

fn subject(firewall: &Firewall) -> String {
    match firewall {
        Firewall::Firewalld { zone } if !zone.is_empty() => {
            format!("本机防火墙（firewalld，区域 {zone}）")
        }
        Firewall::Ufw | Firewall::Firewalld { .. } | Firewall::Nftables | Firewall::Iptables => {
            format!("本机防火墙（{}）", firewall.name())
        }
        Firewall::Windows | Firewall::MacOs => format!("{} 防火墙", firewall.name()),
    }
}

fn why(why: &NoConnection) -> String {
    match why {
        NoConnection::Refused => "对方电脑在线，但该端口没有程序在接收".into(),
        NoConnection::TimedOut => "完全没有回应".into(),
        NoConnection::Reset => "连接被重置".into(),
        NoConnection::NobodyThere => "网络中没有设备使用这个地址".into(),
        NoConnection::TurnedAway => "立即被拒绝".into(),
        NoConnection::NoRoute => "本机的网络到不了那里".into(),
        NoConnection::Forbidden => "本机不允许发出连接".into(),
        NoConnection::Other(said) => said.clone(),
    }
}

fn speaks(speaks: Speaks) -> String {
    match speaks {
        Speaks::Ropeway => "另一个 Ropeway".into(),
        Speaks::Silence => "一个没有回应的程序".into(),
        Speaks::Unknown => "其他程序".into(),
        Speaks::Tls => "其他使用 TLS 的程序（例如网站）".into(),
        Speaks::Http | Speaks::Ssh | Speaks::Ftp | Speaks::Smtp => {
            format!("其他程序（{}）", speaks.name().unwrap_or("?"))
        }
    }
}

pub fn finding(finding: &Finding) -> String {
    match finding {
        Finding::NoNetwork => "本机没有连接任何网络。".into(),
        Finding::Link(link) => {
            let (name, addresses) = (&link.link, listed(&link.addresses));
            match link.kind {
                LinkKind::Local => format!("已连接网络：{addresses}（{name}）。"),
                LinkKind::SelfAssigned => format!("{name} 只有自行分配的地址：{addresses}。"),
                LinkKind::Vpn => format!("VPN 已开启：{addresses}（{name}）。"),
                LinkKind::Virtual => {
                    format!("{name}（{addresses}）只通往本机的容器或虚拟机。")
                }
            }
        }
        Finding::NoLocalNetwork => "本机不在任何局域网中。".into(),
        Finding::ServerOn { port, addresses } if addresses.is_empty() => {
            format!("接收已打开，端口 {port}。")
        }
        Finding::ServerOn { port, addresses } => {
            format!("接收已打开，端口 {port}，可从 {} 访问。", listed(addresses))
        }
        Finding::ServerAlone { listens } => {
            format!("接收已打开（{listens}），但只有本机自己能访问。")
        }
        Finding::ServerOff { port } => format!("本机的接收已关闭：端口 {port} 没有程序在接收。"),
        Finding::OwnBlocked { port, why: reason } => {
            let reason = match reason {
                NoConnection::Refused => "连接被拒绝".into(),
                other => why(other),
            };
            format!("本机端口 {port} 有程序在接收，但本机自己连不上它：{reason}。")
        }
        Finding::PortTaken { port, speaks: what } => {
            format!("本机的接收已关闭，端口 {port} 被{}占用。", speaks(*what))
        }
        Finding::OwnAddressFails {
            address,
            why: reason,
        } => {
            format!(
                "接收已打开，但本机地址 {address} 无法访问：{}。",
                why(reason)
            )
        }
        Finding::FirewallOff => "本机没有防火墙阻挡连接。".into(),
        Finding::FirewallOpen {
            firewall,
            door: what,
        } => {
            format!("{}已放行 {}。", subject(firewall), door(*what))
        }
        Finding::FirewallBlocks {
            firewall,
            door: what,
            ..
        } => {
            let blocks = format!("{}阻挡了 {}。", subject(firewall), door(*what));
            match what {
                Door::Transfers { .. } | Door::AllDiscovery { .. } => blocks,
                Door::Discovery { .. } => format!("{blocks}mDNS 可以通过，因此仍能找到本机。"),
            }
        }
        Finding::FirewallUnclear {
            firewall,
            door: what,
            why: reason,
            ..
        } => {
            let who = match firewall {
                Some(firewall) => format!("{}已开启，", subject(firewall)),
                None => "本机".into(),
            };
            let reason = match reason {
                Unclear::NotAllowed => "只有管理员可以查看",
                Unclear::Rules => "规则过于复杂，无法判断",
                Unclear::NoAnswer => "无法查询",
            };
            let what = door(*what);
            format!("{who}是否阻挡 {what}尚不清楚：{reason}。")
        }
        Finding::DiscoveryDeaf { port } => {
            format!("UDP 端口 {port} 被其他程序占用，无法发现附近的设备。")
        }
        Finding::DiscoveryOff => "附近设备功能已关闭，不会互相发现。".into(),
        Finding::Beacon {
            link,
            returned: true,
        } => format!("本机的广播可以在 {link} 中收到。"),
        Finding::Beacon {
            link,
            returned: false,
        } => format!("本机的广播没有从 {link} 返回。"),
        Finding::NameFound {
            host,
            addresses,
            millis,
        } => format!(
            "{host} 的地址是 {}（用时 {}）。",
            listed(addresses),
            spent(*millis)
        ),
        Finding::NameUnknown { host } => format!("没有找到名称 {host}。"),
        Finding::NameSilent { host, seconds } => {
            format!("{seconds} 秒内没有查到 {host} 的地址。")
        }
        Finding::ScopeMissing { address, .. } => {
            format!("{address} 可能在本机的任何一个网络中，无法判断该走哪个网络接口。")
        }
        Finding::ThisComputer { address } => format!("{address} 就是本机。"),
        Finding::Road { address, road } => match road {
            Road::SameNetwork { link } => format!("{address} 与本机在同一网络（{link}）。"),
            Road::OtherNetwork { link } => {
                format!("{address} 在另一个网络，需要经过路由器（{link}）。")
            }
            Road::Vpn { link } => format!("到 {address} 的连接经过 VPN（{link}）。"),
            Road::VpnInTheWay { link, local } => {
                format!(
                    "{address} 与本机在同一网络（{local}），但发往那里的数据被 VPN（{link}）接管了。"
                )
            }
            Road::None => format!("本机的网络到不了 {address}。"),
        },
        Finding::Connected { address, millis } => {
            format!("{address} 有回应（用时 {}）。", spent(*millis))
        }
        Finding::NotConnected {
            address,
            why: reason,
            ..
        } => format!("无法连接 {address}：{}。", why(reason)),
        Finding::Stranger {
            address,
            speaks: what,
        } => match what {
            Speaks::Ropeway => format!("{address} 上运行的不是 Ropeway。"),
            what => format!("{address} 上运行的不是 Ropeway，而是{}。", speaks(*what)),
        },
        Finding::Answers {
            address,
            name,
            known,
            ..
        } => match known {
            true => format!("已配对设备“{name}”在 {address} 等待接收。"),
            false => format!("“{name}”在 {address} 等待接收。"),
        },
        Finding::KnownOnly { name, .. } => {
            format!("“{name}”有回应，但它只接收已配对设备，而本机尚未与它配对。")
        }
        Finding::AnotherDevice {
            address,
            found,
            meant,
        } => match meant {
            Some(meant) => format!("{address} 现在属于“{found}”，不再是“{meant}”。"),
            None => format!("{address} 上是另一台设备“{found}”，不是您要找的那台。"),
        },
        Finding::OtherVersion { address } => {
            format!("{address} 上的 Ropeway 版本与本机不匹配。")
        }
        Finding::Busy { address } => {
            format!("{address} 立即断开了连接：连接数已满，或程序正在启动或退出。")
        }
        Finding::Greeting { address, why } => {
            format!("与 {address} 上的 Ropeway 建立连接失败：{why}。")
        }
    }
}

/// 下一步该做什么。
pub fn next(finding: &Finding) -> Option<String> {
    let next = match finding {
        Finding::NoNetwork => "请连接网线或 Wi-Fi。".to_owned(),
        Finding::NoLocalNetwork => {
            "找不到附近的设备；能通过 VPN 或互联网连接的设备仍可使用。".into()
        }
        Finding::Link(link) => match link.kind {
            LinkKind::Local | LinkKind::Virtual => return None,
            LinkKind::SelfAssigned => {
                "除非两台电脑用一根网线直接相连，请检查网线或 Wi-Fi：路由器没有回应。".into()
            }
            LinkKind::Vpn => {
                "如果找不到或连不上附近的设备，请暂时关闭 VPN，或在其中允许访问局域网。".into()
            }
        },
        Finding::ServerOn { .. }
        | Finding::FirewallOff
        | Finding::FirewallOpen { .. }
        | Finding::Connected { .. }
        | Finding::Beacon { returned: true, .. }
        | Finding::Answers { known: true, .. } => return None,
        Finding::ServerAlone { .. } => "启动时不要使用 --listen，或指定网络中的地址。".into(),
        Finding::ServerOff { .. } => "从本机发送不受影响。要让别人发送到本机，请打开接收。".into(),
        Finding::OwnBlocked { .. } => {
            "因此无法判断那是不是 Ropeway。本机的防火墙或安全软件拒绝了连接：请允许本机连接自己。".into()
        }
        Finding::PortTaken { port, .. } => {
            format!("打开接收后会使用下一个空闲端口；对方需要输入那个端口，而不是 {port}。")
        }
        Finding::OwnAddressFails { .. } => {
            "请关闭再打开接收；如果仍不行，请检查是否有安全软件在过滤连接。".into()
        }
        Finding::FirewallBlocks {
            firewall, remedy, ..
        } => blocked(firewall, remedy.lasting),
        Finding::FirewallUnclear {
            why: reason,
            firewall,
            ..
        } => match (reason, firewall) {
            (Unclear::NotAllowed, Some(_)) => {
                "如果别人无法发送到本机，请执行以下命令放行；已经放行时再执行也无妨。".into()
            }
            (Unclear::NotAllowed, None) => "如果别人无法发送到本机，请查看规则。".into(),
            (Unclear::Rules | Unclear::NoAnswer, _) => {
                "如果别人无法发送到本机，请检查防火墙规则。".into()
            }
        },
        Finding::DiscoveryDeaf { .. } => {
            "请关闭占用该端口的程序，或直接使用对方的地址。".into()
        }
        Finding::DiscoveryOff => "可在设置的“附近设备”中打开。".into(),
        Finding::Beacon { returned: false, .. } => {
            "网络可能不允许设备互相发现（访客网络常这样）。请直接使用对方的地址。".into()
        }
        Finding::NameFound { .. } => match finding.severity() {
            Severity::Good => return None,
            Severity::Note | Severity::Problem => {
                "用时太长。请直接使用地址，或检查本机的 DNS 设置。".into()
            }
        },
        Finding::NameUnknown { .. } => "请检查拼写，或使用对方在“接收”中显示的地址。".into(),
        Finding::NameSilent { .. } => {
            "DNS 服务器没有回应。请使用对方在“接收”中显示的地址。".into()
        }
        Finding::ScopeMissing { forms, .. } if forms.is_empty() => {
            "请使用对方的其他地址：本机没有这类地址的网络接口。".into()
        }
        Finding::ScopeMissing { forms, .. } => {
            format!("请在地址后用百分号加上网络接口：{}。", listed(forms))
        }
        Finding::ThisComputer { .. } => {
            "要发送到另一台设备，请使用它在“接收”中显示的地址。".into()
        }
        Finding::Road { road, .. } => match road {
            Road::SameNetwork { .. } => return None,
            Road::OtherNetwork { .. } => {
                "如果连不上，请加入同一网络：路由器通常不放行外来连接，访客网络也无法互通。".into()
            }
            Road::Vpn { .. } => {
                "对方在同一 VPN 中才能连上。如果对方就在附近，请使用它在局域网中的地址。".into()
            }
            Road::VpnInTheWay { .. } => "请关闭 VPN，或在其中允许访问局域网。".into(),
            Road::None => "请加入对方所在的网络。".into(),
        },
        Finding::NotConnected {
            elsewhere: true, ..
        } => "它的另一个地址可用，会改用那个地址。".into(),
        Finding::NotConnected { why: reason, .. } => match reason {
            NoConnection::Refused => "请在对方设备上打开接收，并核对它显示的端口。".into(),
            NoConnection::TimedOut => {
                "多半是对方的防火墙丢弃了连接：请在对方设备上打开“为什么连不上？”查看。也可能对方已关机、休眠或在另一个网络。"
                    .into()
            }
            NoConnection::Reset => "连接被中途切断：可能是防火墙，或其中一方的安全软件。".into(),
            NoConnection::NobodyThere => {
                "对方已关机、休眠或换了地址：请核对它在“接收”中显示的地址。".into()
            }
            NoConnection::TurnedAway => {
                "对方的防火墙拒绝了连接：请在对方设备上打开“为什么连不上？”查看。".into()
            }
            NoConnection::NoRoute => "请加入对方所在的网络。".into(),
            NoConnection::Forbidden => {
                "本机的防火墙或安全软件不允许 Ropeway 连接：请在其中放行。".into()
            }
            NoConnection::Other(_) => "请重试；如果仍不行，请重启双方的网络。".into(),
        },
        Finding::Stranger { .. } => "请核对对方在“接收”中显示的地址和端口。".into(),
        Finding::Answers { ways, .. } => entry(ways).into(),
        Finding::KnownOnly { .. } => {
            "请对方在“谁可以发送”中选择“凭配对码”，发送时双方选择“与这台设备配对”。".into()
        }
        Finding::AnotherDevice { .. } => "请查看对方现在的地址：它显示在“接收”中。".into(),
        Finding::OtherVersion { .. } => "请更新双方的 Ropeway。".into(),
        Finding::Busy { .. } => "请稍后重试。".into(),
        Finding::Greeting { .. } => "请重试；如果仍不行，请更新双方的 Ropeway。".into(),
    };
    Some(next)
}

fn entry(ways: &[Way]) -> &'static str {
    if ways.contains(&Way::Passphrase) {
        "需要输入它的口令。"
    } else if ways.contains(&Way::Code) {
        "需要输入它屏幕上的配对码。"
    } else {
        "无需输入；双方核对四个图案。"
    }
}

fn blocked(firewall: &Firewall, lasting: bool) -> String {
    match firewall {
        Firewall::Windows => {
            "打开“Windows 安全中心 › 防火墙和网络保护 › 允许应用通过防火墙”，允许 Ropeway 使用专用网络。或在以管理员身份运行的 PowerShell 中执行："
                .into()
        }
        Firewall::MacOs => {
            "打开“系统设置 › 网络 › 防火墙 › 选项”，允许 Ropeway 接受传入连接。或在终端中执行：".into()
        }
        Firewall::Ufw | Firewall::Firewalld { .. } | Firewall::Nftables | Firewall::Iptables => {
            match lasting {
                true => "在终端中执行以下命令即可放行：".into(),
                false => {
                    "在终端中执行以下命令即可放行，重启后失效（要长期有效，请写入防火墙自己的配置文件）：".into()
                }
            }
        }
    }
}
