namespace Notify.Fanout;

/// <summary>A MessagePosted that breaks the rules of <see cref="MessageRules"/>; never retried.</summary>
public sealed class InvalidMessageException(string message) : Exception(message);
