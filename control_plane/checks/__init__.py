"""An image is booted as the portal would, and judged by the image contract."""
