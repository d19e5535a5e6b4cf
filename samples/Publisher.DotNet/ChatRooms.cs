using MassTransit;
using Notify.Contracts;

namespace Publisher;

/// <summary>A room of a chat.</summary>
/// <param name="Id">Identifies it.</param>
/// <param name="MemberIds">Its members' user ids, as in the <c>sub</c> claim of the tokens with which their browsers subscribe.</param>
public sealed record Room(string Id, IReadOnlyList<string> MemberIds);

/// <summary>What a member wrote.</summary>
/// <param name="Id">Identifies it.</param>
/// <param name="AuthorId">Who wrote it.</param>
/// <param name="AuthorName">Their name, for the eyes of the others.</param>
/// <param name="Text">The text.</param>
public sealed record ChatMessage(Guid Id, string AuthorId, string AuthorName, string Text);

/// <summary>The domain service that knows of posts and of members, and nothing of browsers.</summary>
public sealed class ChatRooms(IPublishEndpoint bus)
{
    /// <summary>Tells the room's members of a message; when this returns, the broker has it.</summary>
    /// <exception cref="MessageReturnedException">No queue takes it: no Notify has run against this broker yet.</exception>
    public async Task PostAsync(Room room, ChatMessage message, CancellationToken cancellationToken = default) =>
        await bus.Publish(new MessagePosted
        {
            MessageId = message.Id,              // published twice, fanned out once
            ConversationId = room.Id,            // its messages keep their order
            AuthorId = message.AuthorId,         // never notified of their own message
            RecipientIds = room.MemberIds,       // up to 50,000
            Title = message.AuthorName,
            Body = message.Text,
            Url = $"/rooms/{room.Id}",
        }, context => context.Mandatory = true, cancellationToken);
}
