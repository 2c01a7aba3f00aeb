//! 简体中文。

use super::{Day, Texts, zh_findings};
use crate::engine::{Doing, Existing, ListenError, NotSaid, Talk};
use crate::gui::clipboard::NoPicture;
use crate::model::address::AddressError;
use crate::model::{
    Allow, Bond, Failure, OnConflict, Party, Presence, Problem, Severity, Symbol, TransferState,
};

pub const CHINESE: Texts = Texts {
    this_device: "本机",
    rename: "修改本机名称",
    settings: "设置",
    done: "完成",
    copy: "复制",

    send: "发送",
    drop_title: "把文件或文件夹拖到这里",
    drop_hint: "不限大小，直接传到对方设备",
    drop_now: "松开即可加入列表",
    files: "选择文件…",
    folder: "选择文件夹…",
    pick_files_title: "选择要发送的文件",
    pick_folder_title: "选择要发送的文件夹",
    no_dialog: "此系统没有文件对话框。请把文件拖进来，或输入路径：",
    path_label: "路径",
    path_hint: "/home/me/报告.pdf",
    add: "添加",
    counting: "正在统计…",
    remove: |name| format!("移除 {name}"),
    clear_list: "清空列表",
    items,
    address_label: "发送到",
    address_hint: "IP 地址或名称",
    address_error: |error| match error {
        AddressError::Empty => "请输入对方屏幕上显示的地址。",
        AddressError::Port => "端口应为 1 到 65535 之间的数字。",
        AddressError::Host => "这不是有效的地址，例如 192.168.1.20 或 garden-laptop。",
        AddressError::Device => "地址中 id= 后的部分已损坏，请重新复制地址。",
    },
    code_label: "对方屏幕上的配对码",
    code_hint: "000 000",
    recent: "最近使用",
    send_nothing: "发送",
    send_items: |count| format!("发送 {}", items(count)),
    send_to: |to| format!("发送到 {to} · 加密传输，自动校验"),
    send_to_known: |to| format!("发送给“{to}” · 已配对，加密"),
    known_devices: "已配对设备",
    devices: "设备",
    not_known: "未配对",
    receive_is_off: "接收已关闭",
    not_here: "不在附近",
    send_to_away: |to| format!("“{to}”不在附近 · 能连上时立即发送"),
    send_when_on: |to| format!("“{to}”的接收已关闭 · 打开后立即发送"),
    need_receive: "对方的“接收”已关闭，请先在那台设备上打开。",
    set_network: "网络",
    set_keep: "消息记录",
    set_keep_hint: "选择“退出后不保留”时，已保存的记录也会一并删除。",
    keep_yes: "保存在本机",
    keep_no: "退出后不保留",
    set_presence: "附近设备",
    presence: |presence| match presence {
        Presence::Visible => "可见",
        Presence::Hidden => "隐藏",
        Presence::Off => "关闭",
    },
    presence_hint: |presence| match presence {
        Presence::Visible => "同一网络中的设备可以看到本机的名称。",
        Presence::Hidden => "可以看到其他设备；别人只能通过地址找到本机。",
        Presence::Off => "不查找其他设备；别人也只能通过地址找到本机。",
    },
    nobody_nearby: "还没有发现设备。请在对方设备上打开“接收”，或在下面输入它的地址。",
    why_nobody: "为什么没有发现设备？",
    forget_address: "忘记此地址",
    manage: "管理",
    known: "已配对",
    forgotten_there: "需重新输入配对码",
    more_devices: |count| format!("另有 {count} 台"),
    looking: "正在检查…",
    looking_there: "正在查找…",
    copy_report: "复制诊断报告",
    copy_report_hint: "版本、设置、检查结果和最近的日志，以文字形式交给帮你解决问题的人；其中不含名称和地址",
    report_copied: "已复制",
    nothing_to_type: "已配对，无需输入配对码",
    not_known_yet: "尚未配对",
    known_only: "对方只接收已配对设备。请对方把“谁可以发送”改为“凭配对码”。",
    passphrase_label: "对方的口令",
    ask_without: "不用配对码，直接询问",
    ask_hint: "双方先核对四个图案，然后才会发送。",
    remember_this: "与这台设备配对",
    remember_hint: "对方也选择配对后生效，以后互传无需配对码。",
    nothing_sent: "没有发送任何内容。",
    dont_connect: "不连接",
    pair_again: "对方重装过系统，重新配对",
    keep_list: "发送后保留列表",
    keep_list_hint: "还可以再发给其他设备。",
    need_picks: "请先选择或拖入要发送的内容。",
    need_address: "请选择一台设备或输入它的地址。",
    need_code: "请输入对方屏幕上显示的配对码。",
    need_code_or_ask: "请输入配对码或询问。",
    need_known: "暂时无法向对方发送。",
    need_passphrase: "请输入对方设备的口令。",
    symbols_question: "对方屏幕上也是这四个图案吗？",
    symbols_hint: |peer| format!("您确认之前，不会向“{peer}”发送任何内容，连文件名也不会。"),
    symbols_yes: "是，发送",
    symbols_no: "不是，停止",
    symbol: |symbol| SYMBOLS[symbol.index()],

    receive: "接收",
    receive_switch: "接收其他设备的文件",
    receive_off: "打开后，其他设备就能向本机发送文件。保存任何内容之前都会先问您。",
    receive_off_title: "接收已关闭",
    receive_starting: "正在开启…",
    receive_soon: "稍后其他设备就能向本机发送文件。保存任何内容之前都会先问您。",
    receive_on: "已开启，可以接收",
    receive_nobody: "已开启，但暂时无法接收",
    receive_blocked: "已开启，但被防火墙阻挡",
    receive_no_code: "已开启，暂不接受配对码",
    pairing_code: "配对码",
    code_once: "在对方设备上输入 · 只能用一次",
    code_rests: "输错次数过多，按“换一个”之前不接受任何配对码。",
    hide: "隐藏",
    show: "显示",
    new_code: "换一个",
    addresses: "本机地址",
    copy_link_hint: "复制链接，对方粘贴到“发送到”即可",
    more: "更多",
    fewer: "收起",
    save_to: "保存到",
    change: "更改",
    open: "打开",
    pick_save_title: "选择保存位置",
    who_may: "谁可以发送",
    allow: |allow| match allow {
        Allow::Anyone => "任何人（需我同意）",
        Allow::Code => "凭配对码",
        Allow::Paired => "仅已配对设备",
    },
    only_known: "无需配对码，只有已配对的设备可以发送。",
    only_known_nobody: "还没有已配对的设备，谁都无法发送。请先改用“凭配对码”，发送时双方都选择“与这台设备配对”。",
    connected: "当前连接",
    nobody: "暂无设备连接",
    doing: |doing| match doing {
        Doing::Verifying => "正在确认身份",
        Doing::Idle => "已连接",
        Doing::Waiting => "等待您的答复",
        Doing::Sending => "正在发送",
        Doing::Talking => "正在收发消息",
    },
    must_wait: |from| format!("{from} 输错次数过多，一分钟后再试；其他设备不受影响。"),
    wrong_code: |from, left| match left {
        0 => format!("来自 {from} 的配对码错误，已更换新的配对码。"),
        left => format!("来自 {from} 的配对码错误，还可再试 {left} 次。"),
    },
    listen_error: |error| match error {
        ListenError::PortTaken { port } => {
            format!("端口 {port} 已被其他程序占用，请在设置中换一个。")
        }
        ListenError::PortForbidden { port } => {
            format!("系统不允许使用端口 {port}，请在设置中选择大于 1023 的端口。")
        }
        ListenError::AddressNotHere { addr } => format!("{addr} 不是本机的地址。"),
        ListenError::Folder { folder, problem } => {
            format!("无法使用 {}：{}", folder.display(), problem_text(problem))
        }
        ListenError::Other { detail } => format!("无法开启接收：{detail}。"),
    },
    port_moved: |port| format!("常用端口被占用，暂时使用 {port}。"),
    try_again: "重试",
    change_folder: "更改文件夹…",
    change_port: "更改端口…",

    offer_title: |name| format!("“{name}”想给您发送内容"),
    offer_proven: "已确认",
    offer_not_verified: "未配对",
    offer_same: "对方屏幕上也是这四个图案吗？",
    offer_unconfirmed: |name| format!("正在等待“{name}”确认图案"),
    offer_remembers: |name| format!("“{name}”希望与本机配对。"),
    offer_more: |count| format!("另有 {count} 项"),
    offer_into: |folder| format!("保存到 {folder}"),
    offer_free: |free| format!("可用 {free}"),
    offer_no_room: |free, short| {
        format!("空间不足：仅剩 {free}，还差 {short}，请换个位置或腾出空间。")
    },
    offer_change: "更改…",
    offer_exists,
    on_conflict: |rule| match rule {
        OnConflict::Rename => "保留两者",
        OnConflict::Skip => "跳过",
        OnConflict::Replace => "替换",
        OnConflict::Newer => "替换较旧的",
        OnConflict::Separate => "新文件夹",
    },
    on_conflict_hint: |rule| match rule {
        OnConflict::Rename => "添加新文件；同名但内容不同的文件与您的文件一并保留。",
        OnConflict::Skip => "添加新文件；您的文件保持不变，同名文件不再接收。",
        OnConflict::Replace => "添加新文件；同名但内容不同的文件将替换您的文件。",
        OnConflict::Newer => "添加新文件；对方修改时间更晚的文件将替换您的文件。",
        OnConflict::Separate => "保存到旁边的一个新文件夹，不与您的文件混在一起。",
    },
    accept: "接受",
    accept_same: "图案一致，接受",
    decline: "拒绝",
    block: "屏蔽",
    blocked: |name| format!("已屏蔽“{name}”，它无法再连接本机。"),
    undo: "撤销",
    wants_to_be_remembered: |name| format!("“{name}”希望与本机配对，以后互传无需配对码。"),
    remember: "配对",
    no: "不用",
    paired: |name| format!("已与“{name}”配对，以后互传无需配对码。"),
    remember_peer: |name| format!("与“{name}”配对"),
    remembered_here: |name| format!("本机已同意配对。等“{name}”也选择配对，以后互传就无需配对码。"),

    talks: "消息",
    talks_all: "全部消息",
    talks_nobody: "还没有可以发消息的设备。附近的设备和已配对设备会显示在这里。",
    talks_pick: "选择一台设备，给它写消息。",
    talks_empty: "还没有消息。在这里写的内容会加密后直接发到对方设备。",
    talks_earlier: "显示更早的消息",
    talks_unread: |unread| format!("{unread} 条未读"),
    talks_clear: "清空",
    talks_clear_question: "删除本机上的全部消息？",
    talks_clear_yes: "删除",
    talks_hint: "写消息 · Shift+Enter 换行",
    talks_field: "消息",
    talks_say: "发送",
    talks_files: "发送文件",
    talks_paste: "发送剪贴板中的图片",
    talks_confirmed: "已确认",
    picture_name: |stamp| format!("图片 {stamp}.png"),
    no_picture: |why| match why {
        NoPicture::Nothing => "剪贴板中没有图片。".to_owned(),
        NoPicture::TooLarge => "剪贴板中的图片太大，请先保存为文件再发送。".to_owned(),
        NoPicture::Problem(why) => format!("无法发送剪贴板中的图片。{}", problem_text(why)),
    },
    talks_copy: "复制这条消息",
    talks_too_long: "消息太长，请作为文件发送。",
    talks_waiting: |waiting| format!("有 {waiting} 条消息待发送，对方上线后自动发出。"),
    not_said: |why| match why {
        NotSaid::Empty => "没有可发送的内容。",
        NotSaid::TooLong => "消息太长，请作为文件发送。",
        NotSaid::TooMany => "待发送的消息太多，对方上线前不能再写。",
        NotSaid::NoRoom => "消息列表已满，请先清空其中一台设备的消息。",
        NotSaid::Blocked => "这台设备已被屏蔽，请先在设置中取消屏蔽。",
    },
    talks_not_read: |why| format!("无法显示以前的消息：{why}"),
    talk_state: |state| match state {
        Talk::Connecting => "正在连接…",
        Talk::Open => "已连接",
        Talk::Calling => "连不上对方，等待对方允许连接",
        Talk::Asking => "等待对方确认",
        Talk::Resting => "",
        Talk::Away(_) => "现在连不上",
    },
    day: |day| match day {
        Day::Today => "今天".to_owned(),
        Day::Yesterday => "昨天".to_owned(),
        Day::Other { year, month, day } => format!("{year}年{month}月{day}日"),
    },
    delivery_waiting: "等待中",
    delivery_delivered: "已送达",
    delivery_not: "未送达",
    take_back: "撤回",
    say_again: "重发",
    open_link: "在浏览器中打开",
    text_offer_title: |name| format!("“{name}”想发送一段文字"),
    text_offer_same: "请先核对：对方屏幕上也是这四个图案吗？",
    text_offer_show: "图案一致，查看",
    text: "文字…",

    transfers: "传输",
    transfers_empty: "发送和接收的内容会显示在这里。",
    clear_finished: "清除已完成",
    names_and_more,
    names_and_others: |names, more| format!("{names}，另有 {more} 项"),
    done_of: |done, all| format!("{} / {}", crate::gui::format::grouped(done), items(all)),
    bytes_of: |done, all| format!("{done} / {all}"),
    speed: |speed| format!("{speed}/s"),
    left: |time| format!("剩余 {time}"),
    hours_minutes: |hours, minutes| format!("{hours} 小时 {minutes} 分"),
    minutes_seconds: |minutes, seconds| format!("{minutes} 分 {seconds} 秒"),
    seconds: |seconds| format!("{seconds} 秒"),
    state: |state, peer| match state {
        TransferState::Connecting => format!("正在连接“{peer}”…"),
        TransferState::Calling => "等待对方在屏幕上点击“允许连接”".to_owned(),
        TransferState::Verifying => format!("正在确认对方是“{peer}”…"),
        TransferState::Confirming => format!("请核对“{peer}”屏幕上的图案"),
        TransferState::Waiting => format!("等待“{peer}”接受"),
        TransferState::Checking => "正在查看已有的文件…".to_owned(),
        TransferState::Running => "即将开始…".to_owned(),
        TransferState::Finishing => "正在校验最后的文件…".to_owned(),
        TransferState::Interrupted => "连接已断开，对方上线后自动继续。".to_owned(),
        TransferState::Away => format!("“{peer}”不在线，上线后自动发送。"),
    },
    comparing: |done, all| format!("正在核对 {done} / {all}"),
    kept_send: |days| match days {
        0 | 1 => "明天之前可以继续。".to_owned(),
        days => format!("{days} 天内可以继续。"),
    },
    kept_receive: |peer, days| match days {
        0 | 1 => format!("保留到明天，“{peer}”继续发送后自动接收。"),
        days => format!("保留 {days} 天，“{peer}”继续发送后自动接收。"),
    },
    kept_awake: "传输期间本机不会自动休眠。",
    slept: "本机刚从休眠中恢复，核对后继续。",
    pause: "暂停",
    limit: "限速",
    other_folder: "换个文件夹…",
    pause_all: "全部暂停",
    resume_all: "全部继续",
    paused_by_us: "您已暂停。",
    paused_by_peer: |peer| format!("“{peer}”已暂停，对方继续后自动传输。"),
    paused_by_both: |peer| format!("您和“{peer}”都已暂停。"),
    turn_here: |peer| format!("等待发给“{peer}”的其他传输完成。"),
    turn_there: |peer| format!("等待来自“{peer}”的其他传输完成。"),
    no_room_here: |need| match need {
        Some(need) => format!("本机磁盘还差 {need} 空间，有空间后自动继续接收。"),
        None => "本机磁盘已满，有空间后自动继续接收。".to_owned(),
    },
    no_room_there: |peer, need| match need {
        Some(need) => format!("“{peer}”还差 {need} 空间，有空间后自动继续发送。"),
        None => format!("“{peer}”的磁盘已满，有空间后自动继续发送。"),
    },
    no_files_here: "本机磁盘能存放的文件数已达上限，删除一些文件后自动继续接收。",
    no_files_there: |peer| {
        format!("“{peer}”的磁盘能存放的文件数已达上限，对方删除一些文件后自动继续发送。")
    },
    no_quota_here: "您在本机磁盘上的配额已用完，腾出空间或提高配额后自动继续接收。",
    no_quota_there: |peer| format!("“{peer}”的磁盘配额已用完，对方有空间后自动继续发送。"),
    picks_between: "、",
    picks_gone: |names| format!("已找不到：{names}。请放回原处，否则不会发送。"),
    picks_changed: |names| format!("选择之后有改动：{names}。将发送最新内容。"),
    resume: "继续",
    resume_now: "立即继续",
    try_now: "立即发送",
    delete: "放弃",
    quiet: |seconds| format!("对方已 {seconds} 秒没有回应"),
    progress_label: |name| format!("{name} 的进度"),
    cancel: "取消",
    show_in_folder: "打开所在文件夹",
    send_again: "重新发送",
    send_back: "发回",
    details: "查看",
    hide_details: "收起",
    copy_paths: "复制路径",
    retry_failed: "重试失败项",
    peer_can_retry: |peer| format!("可由“{peer}”重试失败项。"),
    kept_failed_send: |days| match days {
        0 | 1 => "明天之前可以重试。".to_owned(),
        days => format!("{days} 天内可以重试。"),
    },
    kept_failed_receive: |peer, days| match days {
        0 | 1 => format!("明天之前可由“{peer}”重试。"),
        days => format!("{days} 天内可由“{peer}”重试。"),
    },
    filter_label: "筛选失败项",
    filter_hint: "按名称或原因筛选",
    filter_finds_nothing: "没有名称或原因符合的失败项。",
    first_failed: |listed, all| {
        let (listed, all) = (
            crate::gui::format::grouped(listed),
            crate::gui::format::grouped(all),
        );
        format!("共 {all} 项失败，仅列出前 {listed} 项。")
    },
    save_list: "另存为 CSV…",
    save_list_title: "选择列表的保存位置",
    list_file_name: "失败列表.csv",
    list_saved: |path| format!("列表已保存：{path}"),
    list_not_saved: |path, why| format!("列表未能保存为 {path}：{why}"),
    badge_received: "已收到",
    badge_sent: "已发送",
    badge_failed_items: |count| format!("{} 项失败", crate::gui::format::grouped(count)),
    badge_declined: "已拒绝",
    declined_here: "已在本机拒绝。",
    badge_cancelled: "已取消",
    badge_interrupted: "已中断",
    badge_paused: "已暂停",
    badge_queued: "排队中",
    badge_full: "磁盘已满",
    badge_failed: "失败",
    finished_received: |size, time| format!("{size} · 用时 {time}"),
    finished_sent: |size, time| format!("{size} · 用时 {time}"),
    checked: "已校验",
    checked_safe: "已校验并安全写入磁盘",
    some_failed: |failed, all| {
        let grouped = crate::gui::format::grouped;
        format!(
            "共 {}，{} 项已送达 · {} 项未能发送或保存",
            items(all),
            grouped(all - failed.min(all)),
            grouped(failed)
        )
    },
    some_skipped: |count| format!("跳过 {}", items(count)),
    failure,
    problem: problem_text,
    command_failed: |what, why| format!("无法打开 {what}：{why}"),

    doctor: "为什么连不上？",
    doctor_hint: "检查本机和网络，不作任何更改。",
    doctor_address: "连不上的设备",
    doctor_address_hint: "IP 地址或名称；留空则只检查本机",
    doctor_check: "检查",
    this_computer: "本机",
    why: "为什么？",
    check_again: "再次检查",
    problems_found: |count| match count {
        0 => "没有发现问题。".to_owned(),
        count => format!("发现 {count} 个问题。"),
    },
    severity: |severity| match severity {
        Severity::Good => "正常",
        Severity::Note => "说明",
        Severity::Problem => "问题",
    },
    finding: zh_findings::finding,
    finding_next: zh_findings::next,
    copy_command: |command| format!("复制：{command}"),
    copy_the_command: "复制命令",
    firewall_blocks: "防火墙阻挡了 Ropeway：别人无法发送到本机。",

    stop_title: |_count| "要等接收完再关闭吗？",
    stop_text: |count| format!("还有 {count} 个传输正在进行。"),
    let_finish: |_count| "接收完再关闭",
    stop_now: |_count| "取消传输",
    keep_on: "保持开启",
    give_up_title: "要放弃这次传输吗？",
    give_up_text: |bytes, here| match here {
        true => format!("已接收的 {bytes} 将被删除，再次发送时会从头开始。"),
        false => format!("对方已收到 {bytes}，再次发送时可能会从头开始。"),
    },
    give_up_back: "保留",

    set_general: "常规",
    no_known: "还没有已配对的设备",
    no_known_hint: "发送或接受时选择“与这台设备配对”，并请对方也这样做。\n以后两台设备互传无需配对码。",
    bond: |bond| match bond {
        Bond::Wished => "等待对方确认配对",
        Bond::Paired => "已配对",
        Bond::ForgottenThere => "对方已取消配对",
        Bond::Blocked => "已屏蔽",
    },
    met: |hours| match (hours, hours / 24) {
        (0, _) => "一小时内连接过".to_owned(),
        (hours, 0) => format!("{hours} 小时前连接过"),
        (_, days) => format!("{} 天前连接过", crate::gui::format::grouped(days)),
    },
    details_of: |name| format!("“{name}”的详情"),
    device_label: "在本机的名称",
    rule: "它发来的内容",
    rule_ask: "每次询问",
    rule_accept: "自动接受",
    rule_never: "从不接受",
    rule_folder: "保存到",
    rule_size: "不超过",
    rule_size_hint: "超过时会先问您。",
    rule_any_size: "不限大小",
    size_unit: "GB",
    forget: "取消配对",
    forget_question: |name| format!("取消与“{name}”的配对？正在进行的传输会立即结束。"),
    keep: "保留配对",
    unblock: "取消屏蔽",

    set_name: "本机名称",
    set_name_hint: "其他设备看到的名称。",
    set_folder: "保存位置",
    set_port: "端口",
    set_port_hint: "其他设备连接本机时使用，一般为 9000。",
    set_speed: "限速",
    set_speed_hint: "所有发送和接收合计的最高速度。",
    set_at_once: "同时进行的传输",
    set_at_once_hint: "发往同一台设备时的上限，其余的排队等待。",
    no_limit: "不限",
    speed_unit: "MB/s",
    set_conflict: "遇到同名文件时",
    set_theme: "外观",
    set_language: "语言",
    theme_system: "跟随系统",
    theme_light: "浅色",
    theme_dark: "深色",
    language_system: "跟随系统",
    set_advanced: "高级",
    set: super::settings::CHINESE,
    hands: super::hands::CHINESE,
    unstarted: super::unstarted::CHINESE,
    wire: super::wire::CHINESE,
    callers: super::callers::CHINESE,
    settings_not_saved: |why| format!("设置未能保存：{why}"),
    devices_not_read: |why| format!("已配对设备列表未能完整读取，请检查列表。（{why}）"),
    settings_not_read: |why| format!("未能读取设置：{why}"),
};

/// In the order of `model::Symbol`.
#[rustfmt::skip]
const SYMBOLS: [&str; Symbol::COUNT] = [
    "鱼", "钥匙", "云", "树", "锚", "苹果", "铃铛", "自行车",
    "小鸟", "书", "甲虫", "蛋糕", "相机", "汽车", "胡萝卜", "猫",
    "樱桃", "时钟", "咖啡", "皇冠", "钻石", "狗", "鼓", "鸡蛋",
    "眼睛", "旗子", "火焰", "花", "礼物", "眼镜", "地球仪", "葡萄",
    "吉他", "锤子", "手", "爱心", "房子", "冰淇淋", "树叶", "灯泡",
    "磁铁", "月亮", "山", "音符", "回形针", "钢琴", "比萨", "飞机",
    "拼图", "兔子", "彩虹", "机器人", "火箭", "帆船", "剪刀", "蜗牛",
    "雪花", "星星", "太阳", "帐篷", "火车", "奖杯", "乌龟", "雨伞",
];

fn items(count: u64) -> String {
    format!("{} 项", crate::gui::format::grouped(count))
}

/// `more` besides the one named.
fn names_and_more(name: &str, more: u64) -> String {
    let gap = match name.ends_with(|end: char| end.is_ascii()) {
        true => " ",
        false => "",
    };
    format!("{name}{gap}等 {}", items(more + 1))
}

fn offer_exists(existing: &Existing) -> String {
    let grouped = crate::gui::format::grouped;
    let what = match (existing.names.first(), existing.picked) {
        (Some(name), 1) => format!("“{name}”已存在"),
        (Some(name), picked) => format!("“{name}”等 {} 项已存在", grouped(picked)),
        (None, _) => return String::new(),
    };
    let (same, new) = (existing.same_names, existing.new);
    if existing.complete && same + new <= existing.picked {
        return what;
    }
    let so_far = if existing.complete {
        ""
    } else {
        "（仍在查看）"
    };
    format!(
        "{what}：{} 个同名，{} 个新文件{so_far}",
        grouped(same),
        grouped(new)
    )
}

fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Unresolvable { host } => {
            format!("找不到名为 {host} 的设备，请检查拼写或改用地址。")
        }
        Failure::Refused { address } => format!("{address} 没有开启接收，请在对方设备上打开。"),
        Failure::Unreachable { address } => format!("{address} 没有回应。两台设备在同一网络吗？"),
        Failure::NotRopeway { address } => format!("{address} 上运行的不是 Ropeway。"),
        Failure::Ourselves => "这是本机自己的地址。".to_owned(),
        Failure::Busy => "对方挂断了：可能正忙，也可能连接中断。请稍后再试。".to_owned(),
        Failure::TooManyTalks => "保存的消息已满，请先清空其中一台设备的消息。".to_owned(),
        Failure::SecretNeeded => "请输入对方屏幕上显示的配对码。".to_owned(),
        Failure::WrongSecret => "配对码不对，请输入对方屏幕上现在显示的配对码。".to_owned(),
        Failure::NotTheLinked { found } => {
            format!("链接指的是另一台设备，该地址现在是“{found}”。请索取新的链接。")
        }
        Failure::NotTheDevice { name } => format!("这不是您配对过的“{name}”，可能有人在冒充它。"),
        Failure::Moved { name, found } => {
            format!("“{name}”原来的地址现在属于“{found}”，请输入“{name}”的新地址。")
        }
        Failure::ForgottenThere { name } => {
            format!("“{name}”已取消与本机的配对，输入它的配对码仍可发送。")
        }
        Failure::KnownOnly => {
            "对方只接收已配对设备。请对方把“谁可以发送”改为“凭配对码”。".to_owned()
        }
        Failure::NotConfirmed => "图案不一致，没有发送任何内容。".to_owned(),
        Failure::Forgotten => "对方设备上已没有这次传输，请重新发送。".to_owned(),
        Failure::Version => "两台设备的 Ropeway 版本不兼容，请都更新到最新版。".to_owned(),
        Failure::BlockedHere { name } => {
            format!("您已屏蔽“{name}”，请先在设置中取消屏蔽。")
        }
        Failure::Older { name } => {
            format!("“{name}”的 Ropeway 版本较旧，不支持消息，请在那台设备上更新。")
        }
        Failure::Lost => "连接已断开，对方上线后请重新发送。".to_owned(),
        Failure::Silent => "对方设备 30 秒没有回应。".to_owned(),
        Failure::Declined => "对方拒绝了。".to_owned(),
        Failure::Cancelled(Party::Us) => "已在本机取消。".to_owned(),
        Failure::Cancelled(Party::Peer) => "已在对方设备上取消。".to_owned(),
        Failure::NothingToSend => "所选内容已不存在或都无法读取。".to_owned(),
        Failure::NeverThere { name } => {
            format!("{name} 一周都没有出现，已不再等待。等它出现后请重新发送。")
        }
        Failure::TooManyWait => "等待设备出现的内容太多，请先取消一些。".to_owned(),
        Failure::Disk(problem) => format!("无法使用保存位置：{}", problem_text(problem)),
        Failure::PeerDisk(problem) => format!("对方设备：{}", problem_text(problem)),
        Failure::Protocol(_) => "对方设备发来了无法理解的内容，连接已关闭。".to_owned(),
        Failure::Internal(detail) => format!("本机出现问题：{detail}。"),
    }
}

fn problem_text(problem: &Problem) -> String {
    match problem {
        Problem::Unreadable => "无法读取，请检查权限或所在磁盘。",
        Problem::Vanished => "发送方已没有这个文件，请放回原处或不再发送。",
        Problem::Changed => "发送过程中文件被改动，请在没有程序写入时重试。",
        Problem::ChangedSince => "文件送达后又有改动，请重新发送。",
        Problem::Link => "这是链接，不会发送；请直接发送它指向的内容。",
        Problem::Special => "既不是文件也不是文件夹，无法发送。",
        Problem::TooDeep => "文件夹嵌套超过 128 层，请单独发送里层的文件夹。",
        Problem::Corrupt => "内容校验未通过，请重试。",
        Problem::NoSpace => "磁盘空间已满，请在该磁盘上腾出空间。",
        Problem::NoFiles => "该磁盘能存放的文件数已达上限，请在那里删除一些文件。",
        Problem::Quota => "该磁盘分配给您的空间已用完，请腾出空间或提高配额。",
        Problem::TooLarge => "文件太大，此磁盘无法保存，请换一个磁盘。",
        Problem::ReadOnly => "磁盘为只读，请改为可写或换一个保存位置。",
        Problem::NotWritable => "没有写入权限，请修改权限或换一个保存位置。",
        Problem::Gone => "保存位置已被移动、删除或拔出，请恢复后重试。",
        Problem::Name => "此磁盘无法保存这个名称，请重命名。",
        Problem::Folder => "无法创建它所在的文件夹，请查看该文件夹失败的原因。",
        Problem::Other(detail) => return format!("{detail}。"),
    }
    .to_owned()
}
