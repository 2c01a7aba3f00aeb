//! The words of a window that could not start.

use std::path::Path;

pub struct UnstartedTexts {
    pub title: &'static str,
    /// The data folder, and a sentence that says why.
    pub folder: fn(&Path, &str) -> String,
    pub identity_newer: fn(u32, &Path) -> String,
    /// Where the damaged one is now.
    pub identity_damaged: fn(&Path) -> String,
    /// Another window of this data folder does not answer.
    pub no_answer: fn(&Path) -> String,
    pub other: fn(&str) -> String,
    pub close: &'static str,
}

pub const ENGLISH: UnstartedTexts = UnstartedTexts {
    title: "Ropeway could not start",
    folder: |folder, why| {
        format!(
            "Its data folder cannot be used. {why}\n\n{}",
            folder.display()
        )
    },
    identity_newer: |version, path| {
        format!(
            "This device’s key was written by a newer Ropeway (version {version} of the file), so it was left alone. Start \
             the newer Ropeway.\n\n{}",
            path.display()
        )
    },
    identity_damaged: |aside| {
        format!(
            "This device’s key is damaged and was put aside. Put back a copy of it if you have one, as identity.json. Otherwise \
             start Ropeway again: it begins as a new device, and others have to get to know it anew.\n\n{}",
            aside.display()
        )
    },
    no_answer: |folder| {
        format!(
            "It is open already, but that window does not answer. End it first.\n\n{}",
            folder.display()
        )
    },
    other: |why| format!("{why}."),
    close: "Close",
};

pub const CHINESE: UnstartedTexts = UnstartedTexts {
    title: "Ropeway 无法启动",
    folder: |folder, why| format!("数据文件夹无法使用。{why}\n\n{}", folder.display()),
    identity_newer: |version, path| {
        format!(
            "本设备的密钥由更新版本的 Ropeway 写入（文件版本 {version}），因此未作任何改动。请启动较新版本的 Ropeway。\n\n{}",
            path.display()
        )
    },
    identity_damaged: |aside| {
        format!(
            "本设备的密钥已损坏，并已移到一旁保存。如有备份，请将其放回并命名为 identity.json；否则请再次启动 Ropeway，\
             本机将成为一台新设备，需要与其他设备重新配对。\n\n{}",
            aside.display()
        )
    },
    no_answer: |folder| {
        format!(
            "Ropeway 已经打开，但该窗口没有响应。请先将其结束。\n\n{}",
            folder.display()
        )
    },
    other: |why| format!("{why}。"),
    close: "关闭",
};
