using MassTransit;
using MassTransit.Middleware;
using Microsoft.Extensions.Options;
using Notify.Sending;

namespace Notify.Messaging.RabbitMq;

/// <summary>Limits the pushes in flight of all the lanes that this process handles together.</summary>
internal sealed class SendLimit(IOptions<SendingOptions> options) : ConcurrencyLimitFilter<ConsumeContext>(options.Value.Concurrency);
