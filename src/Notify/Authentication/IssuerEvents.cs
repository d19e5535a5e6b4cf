using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;

namespace Notify.Authentication;

/// <summary>
/// Asks the issuer of tokens for its document and keys before the first token is looked at. While it does not answer, no token counts, which is not its bearer's fault: requests that need one are answered
/// with 503. What it once said counts until it says something else.
/// </summary>
internal sealed partial class IssuerEvents(TimeProvider time, ILogger<IssuerEvents> logger) : JwtBearerEvents
{
    /// <summary>How long it may take to answer.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long it is left alone after it did not.</summary>
    internal static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task<bool> _isKnown = Task.FromResult(false);
    private long? _askedAt;
    private bool _isAway;

    public override async Task MessageReceived(MessageReceivedContext context)
    {
        // Without an issuer there is no such document.
        if (context.Options.ConfigurationManager is null || !context.Request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        var isKnown = IsKnownAsync(context.Options);
        if (!isKnown.IsCompleted && context.HttpContext.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            // It need not know who asks.
            context.NoResult();
            return;
        }

        if (!await isKnown.WaitAsync(context.HttpContext.RequestAborted))
        {
            context.Fail(new IssuerAwayException());
        }
    }

    public override Task Challenge(JwtBearerChallengeContext context)
    {
        if (context.AuthenticateFailure is IssuerAwayException)
        {
            context.HandleResponse();
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }

        return Task.CompletedTask;
    }

    private Task<bool> IsKnownAsync(JwtBearerOptions options)
    {
        lock (_lock)
        {
            if (_isKnown is { IsCompleted: true, Result: false } && (_askedAt is not { } asked || time.GetElapsedTime(asked) >= Rest))
            {
                _isKnown = AskAsync(options);
            }

            return _isKnown;
        }
    }

    // For whoever waits for the answer, and not ended by any of them.
    private async Task<bool> AskAsync(JwtBearerOptions options)
    {
        var isKnown = false;
        try
        {
            await options.ConfigurationManager!.GetConfigurationAsync(CancellationToken.None).WaitAsync(Patience, time);
            isKnown = true;
            if (_isAway)
            {
                LogBack(options.Authority);
            }
        }
        catch (Exception exception)
        {
            if (!_isAway)
            {
                LogAway(options.Authority, exception.GetBaseException().Message);
            }
        }

        (_isAway, _askedAt) = (!isKnown, time.GetTimestamp());
        return isKnown;
    }

    [LoggerMessage(LogLevel.Warning, "The issuer of tokens, Notify__Auth__Authority, does not tell its keys at {Authority}: {Reason} Until it does, no token counts, and requests that need one are answered with 503")]
    private partial void LogAway(string? authority, string reason);

    [LoggerMessage(LogLevel.Information, "The issuer of tokens tells its keys at {Authority}")]
    private partial void LogBack(string? authority);

    private sealed class IssuerAwayException() : Exception("The issuer of tokens does not tell its keys.");
}
