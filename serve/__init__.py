"""The endpoint (Ray Serve, WebSocket) and the dashboard (Gradio); in a wheel this package is `wakeword_serve`."""
