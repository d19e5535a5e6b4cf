namespace Notify.WebPush;

/// <summary>For a <see cref="SocketsHttpHandler.ConnectCallback"/> that does not connect to where it may not. The outcome's reason tells its message.</summary>
/// <param name="message">Why, without anything that is secret: of an endpoint the host alone.</param>
public sealed class ConnectionNotAllowedException(string message) : HttpRequestException(message);
