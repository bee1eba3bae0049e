"""Which calls are made, what each is compared with, and when more of them are needed."""
