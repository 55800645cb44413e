
/// What a check finds inside.
impl Baton {
    pub(crate) fn is_in_queue(&self) -> bool {
        self.in_queue
    }
}
