//! The words of the wire panel, for people who learn how frames meet a stream and people who find out
//! why something hangs.

use crate::engine::{Closed, Flow, Phase, Purpose};
use crate::model::{Failure, Hold, Holds};

pub struct WireTexts {
    pub title: &'static str,
    pub about: &'static str,
    pub empty: &'static str,
    pub hide: &'static str,
    pub setting: &'static str,
    pub setting_hint: &'static str,
    pub purpose: fn(Purpose) -> &'static str,
    /// Whom a row is about as long as nobody has said a name.
    pub nobody_yet: &'static str,
    /// What it waits for.
    pub phase: fn(&Phase) -> String,
    /// What ends the wait; nothing where that is no wait, or said already.
    pub ends: fn(&Phase) -> &'static str,
    /// Between what ends it and when.
    pub comma: &'static str,
    pub at_latest: fn(u64) -> String,
    pub tries_again: fn(u64) -> String,
    pub for_seconds: fn(u64) -> String,
    pub quiet: fn(u64) -> String,
    /// Frames, size, reads or writes.
    pub went_out: fn(&str, &str, &str) -> String,
    pub came_in: fn(&str, &str, &str) -> String,
    pub in_one_read: fn(u64) -> String,
    pub in_one_write: fn(u64) -> String,
    pub in_reads: fn(&str) -> String,
    pub in_writes: fn(&str) -> String,
    pub bytes: fn(&str) -> String,
    /// From here to there.
    pub dialled: &'static str,
    pub was_dialled: &'static str,
    pub show_frames: fn(&str) -> String,
    pub hide_frames: fn(&str) -> String,
    pub no_frames: &'static str,
    pub copy: &'static str,
    pub frames_of: fn(&str) -> String,
}

pub const ENGLISH: WireTexts = WireTexts {
    title: "Wire",
    about: "What each connection waits for, and how frames meet the stream.",
    empty: "No connection. One appears here when this device connects to another one, when another one \
            connects here, and while Receive is on.",
    hide: "Hide",
    setting: "Wire panel",
    setting_hint: "Shows what each connection waits for, and the type, length and time of every frame. \
                   Ctrl+Shift+W.",
    purpose: |purpose| match purpose {
        Purpose::Listen => "server",
        Purpose::Unknown => "visitor",
        Purpose::Send => "sending",
        Purpose::Receive => "receiving",
        Purpose::Attached => "carries along",
        Purpose::Look => "looking",
        Purpose::Talk => "conversation",
    },
    nobody_yet: "Somebody",
    phase: |phase| match phase {
        Phase::Starting => "Starting".into(),
        Phase::Listening => "Waits for somebody to connect".into(),
        Phase::Resolving => "Looks the name up".into(),
        Phase::Connecting { to, at: 1, of: 1 } => format!("Connects to {to}"),
        Phase::Connecting { to, at, of } => format!("Connects to {to}, address {at} of {of}"),
        Phase::Calling => "Not reached – asked them to connect instead".into(),
        Phase::Handshake => "TLS handshake".into(),
        Phase::Hello => "Waits for the hello".into(),
        Phase::Choice => "Waits to hear how they want to come in".into(),
        Phase::Challenge => "Said how it comes in – waits for the challenge".into(),
        Phase::Answer => "Challenge sent – waits for the answer".into(),
        Phase::Proof => "Answered – waits for their proof".into(),
        Phase::Comparing => "Waits for you to compare the symbols".into(),
        Phase::Offer => "Waits for an offer".into(),
        Phase::PersonHere => "Waits for you to answer the offer".into(),
        Phase::PersonThere => "Offered – waits for the person there".into(),
        Phase::Opening => "Prepares the save folder".into(),
        Phase::Checking => "Compares what is there already".into(),
        Phase::Sending(Flow::Moves) => "Sending".into(),
        Phase::Receiving(Flow::Moves) => "Receiving".into(),
        Phase::Sending(flow) | Phase::Receiving(flow) => match flow {
            Flow::Moves => "",
            Flow::Source => "Waits for the disk it reads from",
            Flow::Credit => {
                "Waits for credit – they are still writing, or it is the turn of others"
            }
            Flow::Socket => "Waits for the network to take more bytes",
            Flow::Limit => "Waits for the speed limit",
            Flow::Bytes => "Waits for bytes",
            Flow::Disk => "Waits for the disk it writes to",
            Flow::Turn => "Waits for its turn to receive more",
        }
        .into(),
        Phase::Held(holds) => held(*holds),
        Phase::Finishing => {
            "All content is across – waits until the last files have their names".into()
        }
        Phase::Safe => "Received – waits until it is safe on their disk".into(),
        Phase::Flushing => "Received – flushes it to the disk".into(),
        Phase::Carrying => "Carries frames of its transfer".into(),
        Phase::Talking => "Open – nobody says anything right now".into(),
        Phase::Goodbye => "Waits for their goodbye".into(),
        Phase::Retry(why) => format!("No connection – {}", failure(why)),
        Phase::Closed(closed) => match closed {
            Closed::Goodbye => "Closed – both said goodbye",
            Closed::Lost => "Closed – the connection was lost",
            Closed::Silent => "Closed – they said nothing for 30 seconds",
            Closed::Ended => "Closed – ended here",
            Closed::SwitchedOff => "Closed – Receive was switched off",
            Closed::NotLetIn => "Closed – they did not prove what was asked",
            Closed::TooSlow => "Closed – they were not verified in time",
            Closed::Failed(why) => return format!("Closed – {}", failure(why)),
        }
        .into(),
    },
    ends: |phase| match phase {
        Phase::Listening => "ends when you switch Receive off",
        Phase::Resolving => "ends when the system answers",
        Phase::Connecting { .. } => "ends when they answer",
        Phase::Calling => "ends when they connect",
        Phase::Handshake => "ends when both have their keys",
        Phase::Hello
        | Phase::Choice
        | Phase::Challenge
        | Phase::Answer
        | Phase::Proof
        | Phase::Offer
        | Phase::Goodbye => "ends when it comes",
        Phase::Comparing | Phase::PersonHere => "ends when you answer",
        Phase::PersonThere => "ends when they answer",
        Phase::Opening => "ends when the folder is there",
        Phase::Checking => "ends when all of it is compared",
        Phase::Sending(Flow::Credit) => "ends when they grant some",
        Phase::Sending(Flow::Socket) => "ends when they read, or the line is free",
        Phase::Receiving(Flow::Bytes) => "ends when they send some",
        Phase::Receiving(Flow::Turn) => "ends when others have had theirs",
        Phase::Sending(_) | Phase::Receiving(_) => "",
        Phase::Held(holds) => match (holds.here, holds.there) {
            (Some(Hold::NoRoom { .. } | Hold::NoFiles | Hold::Quota), _)
            | (None, Some(Hold::NoRoom { .. } | Hold::NoFiles | Hold::Quota)) => {
                "ends when there is room"
            }
            (Some(Hold::Person), Some(Hold::Person)) => "ends when both resume",
            (Some(Hold::Person), _) => "ends when you resume",
            (_, Some(Hold::Person)) => "ends when they resume",
            (Some(Hold::Turn), _) | (None, _) => "ends when the ones before are done",
        },
        Phase::Finishing => "ends with “received”",
        Phase::Safe => "ends with “safe”",
        Phase::Flushing => "ends when the disk says so",
        Phase::Carrying => "ends with its transfer",
        Phase::Starting | Phase::Talking | Phase::Retry(_) | Phase::Closed(_) => "",
    },
    comma: ", ",
    at_latest: |seconds| format!("at latest in {seconds} s"),
    tries_again: |seconds| format!("tries again in {seconds} s"),
    for_seconds: |seconds| format!("for {seconds} s so far"),
    quiet: |seconds| format!("They say nothing. Given up in {seconds} s."),
    went_out: |frames, size, writes| {
        format!(
            "→ {} · {size} · {}",
            counted(frames, "frame"),
            counted(writes, "write")
        )
    },
    came_in: |frames, size, reads| {
        format!(
            "← {} · {size} · {}",
            counted(frames, "frame"),
            counted(reads, "read")
        )
    },
    in_one_read: |frames| format!("{frames} in one read"),
    in_one_write: |frames| format!("{frames} in one write"),
    in_reads: |reads| format!("{reads} reads"),
    in_writes: |writes| format!("{writes} writes"),
    bytes: |bytes| format!("{bytes} bytes"),
    dialled: "we connected",
    was_dialled: "they connected",
    show_frames: |label| format!("Show the frames of {label}"),
    hide_frames: |label| format!("Hide the frames of {label}"),
    no_frames: "No frame yet. They appear as they pass, from the moment this panel is open.",
    copy: "Copy",
    frames_of: |label| format!("Copy the frames of {label}"),
};

fn failure(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unresolvable { .. } => "nobody knows that name",
        Failure::Refused { .. } => "nobody listens there",
        Failure::Unreachable { .. } => "no answer from there",
        Failure::Forgotten => "they do not have this transfer any more",
        Failure::NotRopeway { .. } => "what answers there is not Ropeway",
        Failure::Ourselves => "that is this device",
        Failure::Busy => "they hung up: busy, or cut off",
        Failure::TooManyTalks => "no room for one more conversation here",
        Failure::SecretNeeded => "they ask for their code",
        Failure::WrongSecret => "that code did not work",
        Failure::NotTheDevice { .. } | Failure::NotTheLinked { .. } | Failure::Moved { .. } => {
            "another device answers there"
        }
        Failure::ForgottenThere { .. } => "they do not know this device any more",
        Failure::KnownOnly => "they let in known devices only",
        Failure::NotConfirmed => "the symbols were not confirmed",
        Failure::Version | Failure::Older { .. } => "they speak another version",
        Failure::BlockedHere { .. } => "they are blocked here",
        Failure::Lost => "the connection was lost",
        Failure::Silent => "they said nothing for 30 seconds",
        Failure::Declined => "the person there declined",
        Failure::Cancelled(_) => "it was cancelled",
        Failure::NothingToSend => "nothing of it could be read",
        Failure::NeverThere { .. } => "they did not appear for a week",
        Failure::TooManyWait => "too many things wait already",
        Failure::Disk(_) => "trouble with the disk here",
        Failure::PeerDisk(_) => "trouble with the disk there",
        Failure::Protocol(_) => "they broke the protocol",
        Failure::Internal(_) => "something went wrong here",
    }
}

fn held(holds: Holds) -> String {
    match (holds.here, holds.there) {
        (Some(Hold::NoRoom { .. }), _) => "The disk here is full",
        (None, Some(Hold::NoRoom { .. })) => "The disk there is full",
        (Some(Hold::NoFiles), _) => "The disk here can hold no more files",
        (None, Some(Hold::NoFiles)) => "The disk there can hold no more files",
        (Some(Hold::Quota), _) => "The quota here is used up",
        (None, Some(Hold::Quota)) => "The quota there is used up",
        (Some(Hold::Person), Some(Hold::Person)) => "Paused by you and by them",
        (Some(Hold::Person), _) => "Paused by you",
        (_, Some(Hold::Person)) => "Paused by them",
        (Some(Hold::Turn), _) | (None, _) => "Waits for its turn",
    }
    .into()
}

pub const CHINESE: WireTexts = WireTexts {
    title: "线路",
    about: "每个连接正在等什么，以及帧在数据流中如何到达。",
    empty: "当前没有连接。本机连接其他设备、其他设备连接本机，或“接收”开启时，会显示在这里。",
    hide: "隐藏",
    setting: "线路面板",
    setting_hint: "显示每个连接正在等什么，以及每一帧的类型、长度和时间。Ctrl+Shift+W。",
    purpose: |purpose| match purpose {
        Purpose::Listen => "等待连接",
        Purpose::Unknown => "来访设备",
        Purpose::Send => "发送",
        Purpose::Receive => "接收",
        Purpose::Attached => "附加连接",
        Purpose::Look => "查看",
        Purpose::Talk => "消息",
    },
    nobody_yet: "未知设备",
    phase: |phase| match phase {
        Phase::Starting => "正在开始".into(),
        Phase::Listening => "等待其他设备连接".into(),
        Phase::Resolving => "正在解析名称".into(),
        Phase::Connecting { to, at: 1, of: 1 } => format!("正在连接 {to}"),
        Phase::Connecting { to, at, of } => format!("正在连接 {to}（地址 {at}/{of}）"),
        Phase::Calling => "无法连接对方 – 已请对方反过来连接".into(),
        Phase::Handshake => "TLS 握手".into(),
        Phase::Hello => "等待对方的问候".into(),
        Phase::Choice => "等待对方说明验证方式".into(),
        Phase::Challenge => "已说明验证方式 – 等待质询".into(),
        Phase::Answer => "已发出质询 – 等待应答".into(),
        Phase::Proof => "已应答 – 等待对方的证明".into(),
        Phase::Comparing => "等待您核对图案".into(),
        Phase::Offer => "等待对方提出传输".into(),
        Phase::PersonHere => "等待您的答复".into(),
        Phase::PersonThere => "已提出传输 – 等待对方答复".into(),
        Phase::Opening => "正在准备保存位置".into(),
        Phase::Checking => "正在比对已有内容".into(),
        Phase::Sending(Flow::Moves) => "正在发送".into(),
        Phase::Receiving(Flow::Moves) => "正在接收".into(),
        Phase::Sending(flow) | Phase::Receiving(flow) => match flow {
            Flow::Moves => "",
            Flow::Source => "等待读取磁盘",
            Flow::Credit => "等待额度 – 对方还在写入，或正轮到其他传输",
            Flow::Socket => "等待网络接收更多数据",
            Flow::Limit => "受速度限制等待",
            Flow::Bytes => "等待数据到达",
            Flow::Disk => "等待写入磁盘",
            Flow::Turn => "等待轮到自己接收",
        }
        .into(),
        Phase::Held(holds) => held_zh(*holds),
        Phase::Finishing => "内容已全部传完 – 等待最后的文件就位".into(),
        Phase::Safe => "已收到 – 等待对方安全写入磁盘".into(),
        Phase::Flushing => "已收到 – 正在写入磁盘".into(),
        Phase::Carrying => "正在承载所属传输的帧".into(),
        Phase::Talking => "已连接 – 暂时没有消息".into(),
        Phase::Goodbye => "等待对方告别".into(),
        Phase::Retry(why) => format!("没有连接 – {}", failure_zh(why)),
        Phase::Closed(closed) => match closed {
            Closed::Goodbye => "已关闭 – 双方已告别",
            Closed::Lost => "已关闭 – 连接断开",
            Closed::Silent => "已关闭 – 对方 30 秒没有回应",
            Closed::Ended => "已关闭 – 由本机结束",
            Closed::SwitchedOff => "已关闭 – 接收已关闭",
            Closed::NotLetIn => "已关闭 – 对方未通过验证",
            Closed::TooSlow => "已关闭 – 对方未及时完成验证",
            Closed::Failed(why) => return format!("已关闭 – {}", failure_zh(why)),
        }
        .into(),
    },
    ends: |phase| match phase {
        Phase::Listening => "关闭“接收”后结束",
        Phase::Resolving => "系统答复后结束",
        Phase::Connecting { .. } => "对方应答后结束",
        Phase::Calling => "对方连接后结束",
        Phase::Handshake => "双方得到密钥后结束",
        Phase::Hello
        | Phase::Choice
        | Phase::Challenge
        | Phase::Answer
        | Phase::Proof
        | Phase::Offer
        | Phase::Goodbye => "收到后结束",
        Phase::Comparing | Phase::PersonHere => "您答复后结束",
        Phase::PersonThere => "对方答复后结束",
        Phase::Opening => "文件夹就绪后结束",
        Phase::Checking => "全部比对后结束",
        Phase::Sending(Flow::Credit) => "对方给出额度后结束",
        Phase::Sending(Flow::Socket) => "对方读取或线路空闲后结束",
        Phase::Receiving(Flow::Bytes) => "对方发来数据后结束",
        Phase::Receiving(Flow::Turn) => "其他传输让出后结束",
        Phase::Sending(_) | Phase::Receiving(_) => "",
        Phase::Held(holds) => match (holds.here, holds.there) {
            (Some(Hold::NoRoom { .. } | Hold::NoFiles | Hold::Quota), _)
            | (None, Some(Hold::NoRoom { .. } | Hold::NoFiles | Hold::Quota)) => "有空间后结束",
            (Some(Hold::Person), Some(Hold::Person)) => "双方继续后结束",
            (Some(Hold::Person), _) => "您继续后结束",
            (_, Some(Hold::Person)) => "对方继续后结束",
            (Some(Hold::Turn), _) | (None, _) => "前面的传输完成后结束",
        },
        Phase::Finishing => "收到 received 后结束",
        Phase::Safe => "收到 safe 后结束",
        Phase::Flushing => "磁盘确认后结束",
        Phase::Carrying => "随所属传输结束",
        Phase::Starting | Phase::Talking | Phase::Retry(_) | Phase::Closed(_) => "",
    },
    comma: "，",
    at_latest: |seconds| format!("最迟 {seconds} 秒后"),
    tries_again: |seconds| format!("{seconds} 秒后重试"),
    for_seconds: |seconds| format!("已 {seconds} 秒"),
    quiet: |seconds| format!("对方没有回应，{seconds} 秒后放弃。"),
    went_out: |frames, size, writes| format!("→ {frames} 帧 · {size} · 写 {writes} 次"),
    came_in: |frames, size, reads| format!("← {frames} 帧 · {size} · 读 {reads} 次"),
    in_one_read: |frames| format!("一次读到 {frames} 帧"),
    in_one_write: |frames| format!("一次写出 {frames} 帧"),
    in_reads: |reads| format!("读 {reads} 次"),
    in_writes: |writes| format!("写 {writes} 次"),
    bytes: |bytes| format!("{bytes} 字节"),
    dialled: "本机发起",
    was_dialled: "对方发起",
    show_frames: |label| format!("显示 {label} 的帧"),
    hide_frames: |label| format!("隐藏 {label} 的帧"),
    no_frames: "还没有帧。自面板打开起，经过的帧会显示在这里。",
    copy: "复制",
    frames_of: |label| format!("复制 {label} 的帧"),
};

fn failure_zh(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unresolvable { .. } => "找不到该名称",
        Failure::Refused { .. } => "该地址没有开启接收",
        Failure::Unreachable { .. } => "该地址没有回应",
        Failure::Forgotten => "对方已没有这次传输",
        Failure::NotRopeway { .. } => "对方不是 Ropeway",
        Failure::Ourselves => "这是本机自己",
        Failure::Busy => "对方挂断（正忙或连接中断）",
        Failure::TooManyTalks => "本机保存的消息已满",
        Failure::SecretNeeded => "对方要求配对码",
        Failure::WrongSecret => "配对码不对",
        Failure::NotTheDevice { .. } | Failure::NotTheLinked { .. } | Failure::Moved { .. } => {
            "该地址是另一台设备"
        }
        Failure::ForgottenThere { .. } => "对方已取消配对",
        Failure::KnownOnly => "对方只接收已配对设备",
        Failure::NotConfirmed => "图案未确认",
        Failure::Version | Failure::Older { .. } => "版本不兼容",
        Failure::BlockedHere { .. } => "本机已屏蔽对方",
        Failure::Lost => "连接断开",
        Failure::Silent => "对方 30 秒没有回应",
        Failure::Declined => "对方拒绝了",
        Failure::Cancelled(_) => "已取消",
        Failure::NothingToSend => "内容无法读取",
        Failure::NeverThere { .. } => "对方一周没有出现",
        Failure::TooManyWait => "等待的内容太多",
        Failure::Disk(_) => "本机磁盘出现问题",
        Failure::PeerDisk(_) => "对方磁盘出现问题",
        Failure::Protocol(_) => "对方违反了协议",
        Failure::Internal(_) => "本机出现问题",
    }
}

fn held_zh(holds: Holds) -> String {
    match (holds.here, holds.there) {
        (Some(Hold::NoRoom { .. }), _) => "本机磁盘已满",
        (None, Some(Hold::NoRoom { .. })) => "对方磁盘已满",
        (Some(Hold::NoFiles), _) => "本机磁盘的文件数已达上限",
        (None, Some(Hold::NoFiles)) => "对方磁盘的文件数已达上限",
        (Some(Hold::Quota), _) => "本机磁盘的配额已用完",
        (None, Some(Hold::Quota)) => "对方磁盘的配额已用完",
        (Some(Hold::Person), Some(Hold::Person)) => "您和对方都已暂停",
        (Some(Hold::Person), _) => "您已暂停",
        (_, Some(Hold::Person)) => "对方已暂停",
        (Some(Hold::Turn), _) | (None, _) => "排队等待",
    }
    .into()
}

/// `1 frame`, `3 frames`.
fn counted(number: &str, what: &str) -> String {
    let more = if number == "1" { "" } else { "s" };
    format!("{number} {what}{more}")
}
