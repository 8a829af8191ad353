//! What a container is made of, and what runs in it.

/// An image and the command. Nothing behind the image is an option of racker's.
#[derive(Debug, clap::Args)]
pub(in crate::command) struct What {
    /// Image: a baked one, a curated label, or a reference to a registry; then a command and its
    /// arguments, in place of the image's
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, value_names = ["IMAGE", "COMMAND"])]
    words: Vec<String>,
}

impl What {
    /// The image, and the command.
    pub(super) fn split(&self) -> (&str, &[String]) {
        // One is required.
        self.words
            .split_first()
            .map_or(("", &[]), |(image, command)| (image, command))
    }
}
