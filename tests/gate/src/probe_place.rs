
/// What a check finds inside.
impl Place {
    pub(crate) fn is_in_line(&self) -> bool {
        self.in_line
    }
}
