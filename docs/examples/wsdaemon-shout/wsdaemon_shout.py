"""A subprotocol of another package: what you say comes back louder."""

from dataclasses import dataclass

from wsdaemon.subprotocol import CloseCode, Connection, Number, WebSocketSettings, option


@dataclass(frozen=True, kw_only=True)
class ShoutSettings(WebSocketSettings):
    """[subprotocol:shout] takes these, and all of [websocket]."""

    marks: int = option(Number(0, 10), 1, "How many exclamation marks follow.")


class Shout(Connection):
    """Texts come back in capitals; binary messages are refused with 1003."""

    names = ("shout.example.org", "shout")  # the last is the short name: the path, and the INI file's
    settings_class = ShoutSettings
    settings: ShoutSettings

    def opened(self) -> None:
        """Greet the client."""
        self.send_message(b"WELCOME", is_binary=False)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Shout it back."""
        if is_binary:
            self.close(CloseCode.UNSUPPORTED_DATA, "only text can be shouted")
        else:
            louder = message.decode().upper() + "!" * self.settings.marks
            self.send_message(louder.encode(), is_binary=False)
