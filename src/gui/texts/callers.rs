//! The words about devices that ask to be connected to.

pub struct CallerTexts {
    /// By its name.
    pub wants: fn(&str) -> String,
    /// On its card.
    pub about: &'static str,
    pub let_connect: &'static str,
    pub not_now: &'static str,
    pub connecting: fn(&str) -> String,
    pub failed: fn(&str) -> String,
    pub try_again: &'static str,
    /// What a click does and does not do; with the beginning of the device's id.
    pub hint: fn(&str) -> String,
    /// For the sender, whose look at the device has failed.
    pub reach_hint: &'static str,
}

pub const ENGLISH: CallerTexts = CallerTexts {
    wants: |name| format!("“{name}” wants to send you something, but cannot reach this device."),
    about: "wants to send to you",
    let_connect: "Let it connect",
    not_now: "Not now",
    connecting: |name| format!("Connecting to “{name}”…"),
    failed: |name| format!("“{name}” could not be reached."),
    try_again: "Try again",
    hint: |id| {
        format!(
            "A firewall here may keep it out, so this device connects to it instead. Nothing is sent by \
             that: it has to prove who it is, and you still decide. Device {id}."
        )
    },
    reach_hint: "If a firewall there is the reason, send all the same: its screen then asks to let this \
                 device in.",
};

pub const CHINESE: CallerTexts = CallerTexts {
    wants: |name| format!("“{name}”想给您发送内容，但连不上本机。"),
    about: "想发送给您",
    let_connect: "允许连接",
    not_now: "暂不",
    connecting: |name| format!("正在连接“{name}”…"),
    failed: |name| format!("没能连上“{name}”。"),
    try_again: "重试",
    hint: |id| {
        format!(
            "可能是本机的防火墙拦住了它，因此改由本机连接它。这样不会发送任何内容：它仍须证明身份，\
             收不收仍由您决定。设备 {id}。"
        )
    },
    reach_hint: "如果是对方的防火墙所致，仍可发送：对方屏幕上会询问是否允许连接。",
};
