//! What each setting does, in a line; the names of settings stand in the tables of the languages.

use crate::model::Allow;

pub struct SettingsTexts {
    pub copied: &'static str,
    pub receiving: &'static str,
    pub at_once: &'static str,
    pub folder_hint: &'static str,
    pub allow_hint: fn(Allow) -> &'static str,
    pub language_hint: &'static str,
    pub theme_hint: &'static str,
    pub text_size_hint: &'static str,
    pub data: &'static str,
    pub data_hint: &'static str,
    pub open_data: &'static str,
    pub reset: &'static str,
    pub reset_hint: &'static str,
    /// Leads to the question.
    pub reset_ask: &'static str,
    pub reset_question: &'static str,
    pub reset_yes: &'static str,
    pub reset_no: &'static str,
}

pub const ENGLISH: SettingsTexts = SettingsTexts {
    copied: "Copied",
    receiving: "Receiving",
    at_once: "Changes apply at once.",
    folder_hint: "Where what others send you is saved.",
    allow_hint: |allow| match allow {
        Allow::Anyone => "Anyone can ask. Nothing is saved before you agree.",
        Allow::Code => "Only who types the code on this screen can ask, and devices you know.",
        Allow::Paired => "Only devices that have remembered each other with this one.",
    },
    language_hint: "Of this window and its notifications.",
    theme_hint: "“System” follows the rest of the computer.",
    text_size_hint: "Everything in the window grows with it. Ctrl with + and −.",
    data: "Ropeway’s data",
    data_hint: "Settings, known devices, conversations, and what can be resumed.",
    open_data: "Open that folder",
    reset: "Start afresh",
    reset_hint: "Puts all settings back. Known devices, conversations and files stay.",
    reset_ask: "Reset to defaults…",
    reset_question: "Put all settings back, also the name of this device and the save folder?",
    reset_yes: "Reset",
    reset_no: "Keep my settings",
};

pub const CHINESE: SettingsTexts = SettingsTexts {
    copied: "已复制",
    receiving: "接收文件",
    at_once: "所有更改立即生效。",
    folder_hint: "别人发来的内容保存在这里。",
    allow_hint: |allow| match allow {
        Allow::Anyone => "任何人都可以请求发送；您同意之前不会保存任何内容。",
        Allow::Code => "只有输入本机配对码的人和已配对设备可以请求发送。",
        Allow::Paired => "只有已与本机配对的设备可以发送。",
    },
    language_hint: "窗口和通知使用的语言。",
    theme_hint: "“跟随系统”与电脑的外观保持一致。",
    text_size_hint: "窗口中的所有内容一起缩放（Ctrl 加 + 或 −）。",
    data: "Ropeway 的数据",
    data_hint: "设置、已配对设备、消息记录，以及可以继续的传输。",
    open_data: "打开此文件夹",
    reset: "恢复默认设置",
    reset_hint: "所有设置恢复为初始值；已配对设备、消息和文件不受影响。",
    reset_ask: "恢复默认…",
    reset_question: "要将所有设置恢复为初始值吗？本机名称和保存位置也会恢复。",
    reset_yes: "恢复",
    reset_no: "保留现有设置",
};
