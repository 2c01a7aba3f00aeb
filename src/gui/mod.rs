//! The window.

/// Says that this version has none.
pub fn run(_data_dir: std::path::PathBuf, _paths: Vec<std::path::PathBuf>) -> anyhow::Result<()> {
    anyhow::bail!("this version has no window yet; use `ropeway send` and `ropeway receive`")
}
