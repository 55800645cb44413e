local opens_in, epoch = closed()
