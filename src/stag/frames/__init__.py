"""Where frames come from: video files, animated pictures, folders of images."""
