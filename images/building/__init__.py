"""What `images/build` consists of: folders, what is fetched for them, the base, the lists."""
