//! The words of keys, closing, pasting and notifications.

pub struct HandsTexts {
    pub keys_title: &'static str,
    pub keys_about: &'static str,
    pub keys_send: &'static str,
    pub keys_window: &'static str,
    pub key_files: &'static str,
    pub key_folder: &'static str,
    pub key_paste: &'static str,
    pub key_send: &'static str,
    pub key_talks: &'static str,
    pub key_wire: &'static str,
    pub key_settings: &'static str,
    pub key_text_size: &'static str,
    pub key_doctor: &'static str,
    pub key_help: &'static str,
    pub key_quit: &'static str,
    pub key_move: &'static str,
    pub key_press: &'static str,
    pub key_back: &'static str,
    pub quit: &'static str,

    pub close_title: &'static str,
    /// Nothing runs, but the server is on.
    pub close_text: &'static str,
    pub close_title_running: &'static str,
    pub close_text_running: fn(u64) -> String,
    /// How the window comes back.
    pub close_back: &'static str,
    /// The same where it can only be made small.
    pub close_back_small: &'static str,
    pub close_hide: &'static str,
    pub close_hide_running: &'static str,
    pub close_quit: &'static str,
    pub close_quit_running: &'static str,
    pub close_cancel: &'static str,
    pub close_kept: &'static str,

    pub set_close: &'static str,
    pub set_close_hint: &'static str,
    pub set_close_ask: &'static str,
    pub set_close_hide: &'static str,
    pub set_close_quit: &'static str,
    pub set_notify: &'static str,
    pub set_notify_hint: &'static str,
    pub set_text_size: &'static str,
    pub smaller: &'static str,
    pub larger: &'static str,

    /// What was told is not to be shown any more.
    pub dismiss: &'static str,
    pub text_pasted: &'static str,
    /// The pasted text is not to be kept.
    pub discard: &'static str,
    pub nothing_to_paste: &'static str,
    pub picture_too_large: &'static str,
    pub not_pasted: fn(&str) -> String,

    /// The chosen port, and the one in its place.
    pub port_moved: fn(u16, u16) -> String,

    pub offers_wait: fn(u64) -> String,
    /// Offers, calls and comparisons together.
    pub answers_wait: fn(u64) -> String,
    /// A device that cannot reach this one asks to be connected to.
    pub note_call: fn(&str) -> String,
    pub note_call_about: &'static str,
    /// Before something goes to a device.
    pub note_compare: fn(&str) -> String,
    pub note_compare_about: &'static str,
    pub offer_compare: &'static str,
    pub show: &'static str,
    /// By a device; what it is follows.
    pub note_received: fn(&str) -> String,
    pub note_sent: fn(&str) -> String,
    pub note_problems: fn(&str) -> String,
    pub note_declined: fn(&str) -> String,
    pub note_cancelled: fn(&str) -> String,
    pub note_interrupted: fn(&str) -> String,
    pub notes_ended: fn(u64) -> String,
    pub notes_with_problems: fn(u64) -> String,
    pub note_message: fn(&str) -> String,
    pub notes_messages: fn(u64) -> String,

    /// For screen readers: how many transfers there are.
    pub rows: fn(u64) -> String,
    /// The word on a button, and what it is about.
    pub act_on: fn(&str, &str) -> String,
    pub speed_of: fn(&str, &str) -> String,
    /// For screen readers: who, what.
    pub said_offer: fn(&str, &str) -> String,
    /// For screen readers: what, to or from whom, how far.
    pub said_sending: fn(&str, &str, u64) -> String,
    pub said_receiving: fn(&str, &str, u64) -> String,
}

pub const ENGLISH: HandsTexts = HandsTexts {
    keys_title: "Keys and help",
    keys_about: "Everything in this window can be done without a mouse.",
    keys_send: "Sending",
    keys_window: "Window",
    key_files: "Choose files",
    key_folder: "Choose a folder",
    key_paste: "Paste files, a picture or text",
    key_send: "Send",
    key_talks: "Conversations, and back",
    key_wire: "Show or hide the Wire panel",
    key_settings: "Settings",
    key_text_size: "Larger, smaller or usual text",
    key_doctor: "Why can’t I connect?",
    key_help: "This page",
    key_quit: "Quit Ropeway",
    key_move: "Move forwards or back",
    key_press: "Press what is marked; on the switch: Receive on or off",
    key_back: "Close or go back",
    quit: "Quit Ropeway",

    close_title: "Keep receiving when the window is closed?",
    close_text: "Receive is on. Ropeway can stay in the background, so that others can go on sending to \
                 this device.",
    close_title_running: "Keep going in the background?",
    close_text_running: |count| match count {
        1 => "1 transfer is not finished. If you quit, you can resume it the next time.".into(),
        count => format!(
            "{count} transfers are not finished. If you quit, you can resume them the next time."
        ),
    },
    close_back: "Start Ropeway again to see its window.",
    close_back_small: "The window is minimised then. Open it again from the task bar.",
    close_hide: "Keep receiving",
    close_hide_running: "Keep going",
    close_quit: "Quit",
    close_quit_running: "Quit, resume later",
    close_cancel: "Cancel",
    close_kept: "Your answer is kept; you can change it in Settings.",

    set_close: "When the window is closed",
    set_close_hint: "In the background Ropeway keeps receiving and transferring. Start it again to see \
                     the window; Ctrl+Q quits.",
    set_close_ask: "Ask",
    set_close_hide: "Go on in the background",
    set_close_quit: "Quit",
    set_notify: "Notifications",
    set_notify_hint: "For offers, messages and what has finished, while another window is in front.",
    set_text_size: "Size of text",
    smaller: "Smaller text",
    larger: "Larger text",

    dismiss: "Dismiss",
    text_pasted: "Choose a device to send the pasted text to.",
    discard: "Discard it",
    nothing_to_paste: "There is nothing in the clipboard that can be sent.",
    picture_too_large: "The picture in the clipboard is too large to paste. Save it as a file and send that.",
    not_pasted: |why| format!("The clipboard could not be read: {why}"),

    port_moved: |chosen, got| {
        format!(
            "Port {chosen} is used by another program, so this device uses {got} for now. Once that program \
             has ended, switch Receive off and on to go back to {chosen}."
        )
    },

    offers_wait: |count| format!("{count} offers wait for your answer"),
    answers_wait: |count| format!("{count} questions wait for your answer"),
    note_call: |who| format!("{who} wants to send to you"),
    note_call_about: "It cannot reach this device. Let it connect in the window.",
    note_compare: |who| format!("Compare the symbols with {who}"),
    note_compare_about: "Nothing is sent before you answer in the window.",
    offer_compare: "Compare the symbols in the window first.",
    show: "Show",
    note_received: |who| format!("Received from {who}"),
    note_sent: |who| format!("{who} has received"),
    note_problems: |who| format!("Problems with {who}"),
    note_declined: |who| format!("{who} declined"),
    note_cancelled: |who| format!("{who} cancelled"),
    note_interrupted: |who| {
        format!("Connection to {who} lost; it goes on when that device is back")
    },
    notes_ended: |count| format!("{count} transfers have ended"),
    notes_with_problems: |count| match count {
        1 => "1 of them with problems".into(),
        count => format!("{count} of them with problems"),
    },
    note_message: |who| format!("Message from {who}"),
    notes_messages: |count| format!("{count} new messages"),

    rows: |count| match count {
        1 => "1 transfer".into(),
        count => format!("{count} transfers"),
    },
    act_on: |word, what| format!("{word}: {what}"),
    speed_of: |what, speed| format!("Speed of {what}: {speed}"),
    said_offer: |who, what| format!("{who} wants to send you {what}"),
    said_sending: |what, who, percent| format!("Sending {what} to {who}: {percent} percent"),
    said_receiving: |what, who, percent| format!("Receiving {what} from {who}: {percent} percent"),
};

pub const CHINESE: HandsTexts = HandsTexts {
    keys_title: "按键与帮助",
    keys_about: "本窗口的所有操作都可以只用键盘完成。",
    keys_send: "发送",
    keys_window: "窗口",
    key_files: "选择文件",
    key_folder: "选择文件夹",
    key_paste: "粘贴文件、图片或文字",
    key_send: "发送",
    key_talks: "打开或离开消息",
    key_wire: "显示或隐藏线路面板",
    key_settings: "设置",
    key_text_size: "放大、缩小或还原文字",
    key_doctor: "为什么连接不上？",
    key_help: "本页",
    key_quit: "退出 Ropeway",
    key_move: "移到下一项或上一项",
    key_press: "按下当前项；在开关上：打开或关闭接收",
    key_back: "关闭或返回",
    quit: "退出 Ropeway",

    close_title: "关闭窗口后继续接收吗？",
    close_text: "接收已打开。Ropeway 可以留在后台，让其他设备继续向本机发送。",
    close_title_running: "要在后台继续传输吗？",
    close_text_running: |count| {
        format!("还有 {count} 个传输没有完成。如果现在退出，下次打开后可以继续。")
    },
    close_back: "再次启动 Ropeway，窗口就会回来。",
    close_back_small: "窗口会最小化，可从任务栏重新打开。",
    close_hide: "在后台接收",
    close_hide_running: "在后台继续",
    close_quit: "退出",
    close_quit_running: "退出，以后再继续",
    close_cancel: "取消",
    close_kept: "您的选择会被记住，可以在设置中更改。",

    set_close: "关闭窗口时",
    set_close_hint: "在后台时，接收和传输照常进行。再次启动即可看到窗口；按 Ctrl+Q 退出。",
    set_close_ask: "询问我",
    set_close_hide: "在后台继续",
    set_close_quit: "退出",
    set_notify: "桌面通知",
    set_notify_hint: "窗口不在前面时，有人要发送、来了消息或传输结束都会通知您。",
    set_text_size: "文字大小",
    smaller: "缩小文字",
    larger: "放大文字",

    dismiss: "知道了",
    text_pasted: "请选择要接收所粘贴文字的设备。",
    discard: "丢弃",
    nothing_to_paste: "剪贴板里没有可以发送的内容。",
    picture_too_large: "剪贴板里的图片太大，无法粘贴。请先存成文件再发送。",
    not_pasted: |why| format!("无法读取剪贴板：{why}"),

    port_moved: |chosen, got| {
        format!(
            "端口 {chosen} 被其他程序占用，本机暂时使用 {got}。等那个程序退出后，关闭接收再打开，即可改回 {chosen}。"
        )
    },

    offers_wait: |count| format!("有 {count} 项发送请求等您答复"),
    answers_wait: |count| format!("有 {count} 项请求等您答复"),
    note_call: |who| format!("“{who}”想给您发送内容"),
    note_call_about: "它连不上本机。请在窗口中选择是否允许连接。",
    note_compare: |who| format!("请与“{who}”核对图案"),
    note_compare_about: "您在窗口中答复之前，不会发送任何内容。",
    offer_compare: "请先在窗口中核对图案。",
    show: "查看",
    note_received: |who| format!("已收到“{who}”发来的内容"),
    note_sent: |who| format!("“{who}”已收到"),
    note_problems: |who| format!("与“{who}”的传输出了问题"),
    note_declined: |who| format!("“{who}”拒绝了接收"),
    note_cancelled: |who| format!("“{who}”取消了传输"),
    note_interrupted: |who| format!("与“{who}”的连接已断开，对方上线后自动继续"),
    notes_ended: |count| format!("{count} 个传输已结束"),
    notes_with_problems: |count| format!("其中 {count} 个有问题"),
    note_message: |who| format!("“{who}”发来消息"),
    notes_messages: |count| format!("{count} 条新消息"),

    rows: |count| format!("{count} 个传输"),
    act_on: |word, what| format!("{word}：{what}"),
    speed_of: |what, speed| format!("{what} 的速度：{speed}"),
    said_offer: |who, what| format!("“{who}”想给您发送 {what}"),
    said_sending: |what, who, percent| format!("正在向“{who}”发送 {what}：{percent}%"),
    said_receiving: |what, who, percent| format!("正在接收“{who}”发来的 {what}：{percent}%"),
};
